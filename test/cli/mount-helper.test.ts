import t from "tap";
import { translateMountHelper } from "../../src/cli/mount-helper.js";

t.test("arguments of mount(8) become those of vdisk mount", async (t) => {
  const words = (options: string): string[] | undefined =>
    translateMountHelper(["/vms/a.vdi", "/mnt", "-o", options])?.slice(1);
  t.same(words("rw,dev,suid"), ["/vms/a.vdi", "/mnt", "--quiet"]);
  t.same(words("ro,noexec,nosuid,nodev,snapshot=Before x"), [
    ...["/vms/a.vdi", "/mnt", "--quiet", "--snapshot=Before x"],
    ...["-o", "ro,noexec,nosuid,nodev"],
  ]);
  t.same(words("noauto,nofail,_netdev,x-systemd.automount,x-a=b,user,user=me,comment=c,defaults"), [
    ...["/vms/a.vdi", "/mnt", "--quiet"],
  ]);
  t.same(words("allow_live,time-zone=+02:00,time_zone=a=b,disk=SATA:0:0,allow_other,nonsense"), [
    ...["/vms/a.vdi", "/mnt", "--quiet", "--allow-live", "--time-zone=+02:00", "--time-zone=a=b"],
    ...["--disk=SATA:0:0", "-o", "allow_other,nonsense"],
  ]);
  t.same(translateMountHelper(["a", "/mnt", "-o", "ro,remount,noexec"]), [
    "remount",
    "/mnt",
    "ro,remount,noexec",
  ]);
});

t.test("a command line of vdisk itself is not changed", async (t) => {
  for (const line of [
    "mount image -o ro",
    "mount image /mnt -o ro",
    "ls image -o x",
    "info image",
    "image /mnt",
    "image /mnt -o",
    "image /mnt -o ro -f",
    "--log-level image -o ro",
  ])
    t.equal(translateMountHelper(line.split(" ")), undefined, line);
});

/** mount(8) with the type fuse.vdisk, as root and as an ordinary user, from the command line and from /etc/fstab. */
import { chmodSync, chownSync, copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { BASE, NEWEST, output, run, VDISK, type Result } from "../support/command.js";
import { place } from "../support/place.js";

/** Where mount.fuse(8) finds the program: it runs it without PATH. */
const PROGRAM = "/usr/local/bin/vdisk";

/** nobody: mount(8) wants a user of the password file. */
const USER = 65534;

chmodSync("/dev/fuse", 0o666); // as udev has it
if (!existsSync(PROGRAM)) {
  writeFileSync(PROGRAM, `#!/bin/sh\nexec ${process.execPath} ${VDISK} "$@"\n`, { mode: 0o755 });
  t.teardown(() => {
    rmSync(PROGRAM);
  });
}

/** What /proc says of the mount on `path`: its own flags, then those of the file system. */
function flagsOf(path: string): string | undefined {
  const line = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .findLast((one) => one.includes(` ${path} `));
  return line === undefined ? undefined : `${line.split(" ")[5]} ${line.split(" ").at(-1)}`;
}

t.test("mount -t fuse.vdisk mounts, umount unmounts, and nothing is printed", async (t) => {
  const folder = place(t);
  const options = "noauto,nofail,_netdev,x-systemd.automount,comment=mine,allow_other,noexec";
  const mounted = await run("mount", ["-t", "fuse.vdisk", "-o", options, NEWEST, folder]);
  t.match(mounted, { code: 0, stdout: "", stderr: "" });
  t.match(await output("ls", folder), /^fs0$/m);
  t.match(flagsOf(folder), /^ro,nosuid,nodev,noexec,noatime .*allow_other/);
  t.equal((await run("umount", [folder])).code, 0);
  t.equal(flagsOf(folder), undefined);
});

t.test("mount -o remount changes what the kernel keeps, and rw is refused with the reason", async (t) => {
  const folder = place(t);
  await output("mount", "-t", "fuse.vdisk", NEWEST, folder);
  t.match(flagsOf(folder), /^ro,nosuid,nodev,noatime /);
  const remount = (options: string): Promise<Result> => run("mount", ["-o", `remount,${options}`, folder]);
  t.match(await remount("noexec"), { code: 0, stdout: "", stderr: "" });
  t.match(flagsOf(folder), /^ro,nosuid,nodev,noexec,noatime ro,/);
  t.match(await remount("ro"), { code: 0 });
  t.match(await remount("rw"), { code: 77, stderr: /a mount of vdisk is read-only/ });
  t.match(await remount("snapshot=x"), { code: 77, stderr: /cannot be changed while it is mounted/ });
  t.match(flagsOf(folder), /^ro,nosuid,nodev,noexec,noatime ro,/);
  t.match(await output("cat", join(folder, "fs1/etc/os-release")), "Example Linux");
});

t.test("a mount from a line of /etc/fstab can be remounted as well, and rw is refused", async (t) => {
  const folder = place(t);
  const table = join(place(t), "fstab");
  writeFileSync(table, `${NEWEST} ${folder} fuse.vdisk noauto,nofail,allow_other,snapshot=current 0 0\n`);
  const script = `mount --bind "$1" /etc/fstab && mount "$2" && mount -o remount,noexec "$2"; echo "noexec $?"
    grep -c " $2 ro,nosuid,nodev,noexec," /proc/self/mountinfo
    mount -o remount,rw "$2"; echo "rw $?"
    mount -o remount,noexec,snapshot=other "$2"; echo "snapshot $?"
    umount "$2"`;
  const { stdout, stderr } = await run("unshare", ["-m", "sh", "-c", script, "sh", table, folder]);
  t.same(stdout.trim().split("\n"), ["noexec 0", "1", "rw 77", "snapshot 77"], stderr);
  t.match(stderr, /a mount of vdisk is read-only.*\n.*snapshot=other: this cannot be changed/);
});

t.test("lines of /etc/fstab are mounted by their directory, by their user too", async (t) => {
  const [ours, users, wrong] = [place(t), place(t), place(t)];
  chownSync(users, USER, USER);
  const image = join(place(t), "image with spaces.vdi");
  copyFileSync(BASE, image);
  chmodSync(image, 0o644);
  const source = image.replaceAll(" ", "\\040");
  const table = join(place(t), "fstab");
  const lines = [
    `${source} ${ours} fuse.vdisk ro,noauto,nofail,_netdev,allow_other,snapshot=current,time_zone=Europe/Berlin 0 0`,
    `${source} ${users} fuse.vdisk user,noauto 0 0`,
    `${source} ${wrong} fuse.vdisk noauto,nonsense 0 0`,
  ];
  writeFileSync(table, `${lines.join("\n")}\n`);
  // The table stands in for the host's in a namespace of its own.
  const { stdout } = await run("unshare", ["-m", "bash", "-c", FSTAB, table, ours, users, wrong]);
  t.same(stdout.trim().split("\n"), [
    ...["mount 0", "fs0", "umount 0", "wrong option 64"],
    ...["user mount 0", "fs0", "user umount 0"],
  ]);
});

const FSTAB = `
mount --bind "$0" /etc/fstab
mount "$1"; echo "mount $?"; ls "$1" | grep fs0; umount "$1"; echo "umount $?"
mount "$3"; echo "wrong option $?"
user() { setpriv --reuid=${USER} --regid=${USER} --clear-groups "$@"; }
user mount "$2"; echo "user mount $?"; user ls "$2" | grep fs0; user umount "$2"; echo "user umount $?"`;

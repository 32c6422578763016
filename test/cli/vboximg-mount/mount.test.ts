/** The command lines of VirtualBox's manual, and those that people have in their scripts, with our `vboximg-mount`. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import t, { type Test } from "tap";
import { attempt, BASE, NEWEST, output, run } from "../../support/command.js";
import { place } from "../../support/place.js";
import { furnish, LEAF_UUID, MACHINE, SNAPSHOT } from "./home.js";
import { vboximgMount } from "./support.js";

if (process.getuid!() !== 0) throw new Error("these tests mount with the kernel, as root");
chmodSync("/dev/fuse", 0o666); // as udev has it; in containers it is often root's alone

const BASE_UUID = readUuid();

/** The base's UUID, as qemu's own tool dumps the header it wrote: 16 bytes at 392, the first groups little-endian. */
function readUuid(): string {
  const bytes = readFileSync(BASE).subarray(392, 408);
  const groups = [bytes.readUInt32LE(0).toString(16).padStart(8, "0")];
  for (const at of [4, 6]) groups.push(bytes.readUInt16LE(at).toString(16).padStart(4, "0"));
  return [...groups, bytes.toString("hex", 8, 10), bytes.toString("hex", 10)].join("-");
}

function furnished(t: Test): { home: string; base: string; leaf: string } {
  const home = t.testdir({});
  return { home, ...furnish(home, BASE_UUID) };
}

const UPDATED = 'NAME="Example Linux"\nVERSION="12"\n';
const OLD = 'NAME="Example Linux"\nVERSION="11"\n';

t.test("--image=UUID mount-point: the disk, its partitions and a link; no files, no snapshots", async (t) => {
  const { home, leaf } = furnished(t);
  const folder = place(t);
  const mounted = await vboximgMount(home, [`--image=${LEAF_UUID}`, folder]);
  t.same(mounted, { code: 0, stdout: "", stderr: "" });
  t.same(readdirSync(folder).sort(), ["vhdd", "vol0", "vol1", basename(NEWEST)]);
  t.equal(await output("readlink", join(folder, basename(NEWEST))), `${leaf}\n`);
  await output("umount", folder);
  t.same(readdirSync(folder), []);
});

t.test("--guest-filesystem shows the files, at the snapshot that is named", async (t) => {
  const { home } = furnished(t);
  for (const [name, expected, link] of [
    [LEAF_UUID, UPDATED, basename(NEWEST)],
    [BASE_UUID, OLD, "web.vdi"],
    [SNAPSHOT, OLD, "web.vdi"],
  ] as const) {
    const folder = place(t);
    t.match(await vboximgMount(home, [`--image=${name}`, "--guest-filesystem", folder]), { code: 0 });
    t.same(readdirSync(folder).sort(), ["fs0", "fs1", "vhdd", "vol0", "vol1", link]);
    t.equal(readFileSync(join(folder, "fs1/etc/os-release"), "utf8"), expected);
    await output("umount", folder);
  }
});

t.test("a file system over the whole disk: sudo mount mount-point/vhdd /mnt", async (t) => {
  const home = t.testdir({ content: { "a.txt": "of the guest\n" } });
  await output("truncate", "-s", "8M", join(home, "raw"));
  await output("mkfs.ext4", "-q", "-F", "-d", join(home, "content"), join(home, "raw"));
  await output("qemu-img", "convert", "-O", "vdi", join(home, "raw"), join(home, "whole.vdi"));
  const [folder, judge] = [place(t), place(t)];
  t.match(await vboximgMount(home, ["-i", "whole.vdi", folder]), { code: 0 });
  t.same(readdirSync(folder).sort(), ["vhdd", "vol0", "whole.vdi"]);
  try {
    await output("mount", join(folder, "vhdd"), judge);
    t.equal(readFileSync(join(judge, "a.txt"), "utf8"), "of the guest\n");
  } finally {
    attempt("umount", judge);
  }
  await output("umount", folder);
});

t.test("vhdd as a loop device from the listing's offset, and volN, are what the kernel mounts", async (t) => {
  const { home } = furnished(t);
  const [folder, judge] = [place(t), place(t)];
  t.match(await vboximgMount(home, ["--image", LEAF_UUID, folder]), { code: 0 });
  const { stdout } = await vboximgMount(home, ["-li", LEAF_UUID]);
  const [, sectors, offset] = /^web\.vdi\(1\) +\d+ +(\d+) +\S+ +(\d+)/m.exec(stdout)!;
  const part = ["--offset", offset!, "--sizelimit", String(Number(sectors) * 512)];
  const device = (await output("losetup", "-r", "-f", "--show", ...part, join(folder, "vhdd"))).trim();
  try {
    await output("mount", "-t", "ext4", "-o", "ro", device, judge);
    t.equal(readFileSync(join(judge, "usr/lib/os-release"), "utf8"), UPDATED);
    await output("umount", judge);
    await output("mount", join(folder, "vol1"), judge);
    t.equal(readFileSync(join(judge, "usr/lib/os-release"), "utf8"), UPDATED);
  } finally {
    attempt("umount", judge);
    attempt("losetup", "-d", device);
  }
  await output("umount", folder);
});

t.test("writing fails, with and without --rw, and --rw prints a warning", async (t) => {
  const { home, leaf } = furnished(t);
  const before = readFileSync(leaf);
  for (const [args, said] of [
    [["-i", leaf], /^$/],
    [["-i", leaf, "--rw"], /^vboximg-mount: the mount is read-only: .*fails: read-only file system\n$/],
    [["-i", leaf, "-o", "rw"], /^vboximg-mount: the mount is read-only: .*fails: read-only file system\n$/],
  ] as const) {
    const folder = place(t);
    t.match(await vboximgMount(home, [...args, "-g", folder]), { code: 0, stdout: "", stderr: said });
    for (const file of ["vhdd", "vol0", "fs1/etc/hostname", "fs1/new"]) {
      const write = await run("sh", ["-c", 'echo x >"$1"', "sh", join(folder, file)]);
      t.match(write, { code: /[^0]/, stderr: /Read-only file system/ }, file);
      const error = await output(
        "python3",
        "-c",
        "import os, sys\ntry: os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\nexcept OSError as e: print(e.errno)",
        join(folder, file),
      );
      t.equal(error, "30\n", "EROFS");
    }
    await output("umount", folder);
  }
  t.ok(readFileSync(leaf).equals(before));
});

t.test("-o allow_other lets other users see the mount; without it they cannot", async (t) => {
  const { home, leaf } = furnished(t);
  const asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "cat"];
  for (const [options, seen] of [
    [["-o", "allow_other"], true],
    [["-oro,allow_other"], true],
    [["-o=allow_other"], true],
    [[], false],
    [["-o", "ro"], false],
  ] as const) {
    const folder = place(t);
    t.match(await vboximgMount(home, ["-gi", leaf, ...options, folder]), { code: 0 });
    const { code } = await run("setpriv", [...asNobody, join(folder, "fs1/etc/hostname")]);
    t.equal(code === 0, seen, options.join(" "));
    await output("umount", folder);
  }
});

t.test("--root is -o allow_root: root can see the mount of an ordinary user", async (t) => {
  const { home, leaf } = furnished(t);
  mkdirSync(join(home, "mount"));
  writeFileSync(join(home, "fuse.conf"), "user_allow_other\n");
  await output("chown", "-R", "65534:65534", home);
  // In a mount namespace of its own, /etc/fuse.conf is another, for this test only.
  const script = `mount --bind fuse.conf /etc/fuse.conf || exit
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@" || exit
    ls mount; umount mount`;
  for (const [options, seen] of [
    [["--root"], "vhdd\n"],
    [["-o", "allow_root"], "vhdd\n"],
    [[], "Permission denied"],
  ] as const) {
    const as = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"];
    const { stdout, stderr } = await vboximgMount(home, ["-i", leaf, ...options, "mount"], home, as);
    t.match(stdout + stderr, seen, options.join(" "));
  }
});

t.test("options may have any order, and --vm may be given with an image's path", async (t) => {
  const { home, base } = furnished(t);
  const folder = place(t);
  mkdirSync(join(home, "disks"));
  for (const args of [
    ["-i", LEAF_UUID, "-o", "allow_root", folder, "--rw"],
    ["-i", LEAF_UUID, "--rw", "--root", folder],
    ["--vm", "The web", "-i", base, "--rw", "--root", folder],
    ["--vm", MACHINE, "-i", "web.vdi", folder],
    [folder, "--image", base],
  ]) {
    t.match(await vboximgMount(home, args), { code: 0, stdout: "" }, args.join(" "));
    t.ok(readdirSync(folder).includes("vol1"));
    await output("umount", folder);
  }
  t.match(await vboximgMount(home, ["-vi", base, "disks/"]), {
    code: 0,
    stdout: /web\.vdi is mounted on .*\/disks; its log is /,
  });
  await output("umount", join(home, "disks"));
});

t.test("errors have exit codes and messages", async (t) => {
  const { home, leaf } = furnished(t);
  const folder = place(t);
  writeFileSync(join(home, "cut.vdi"), readFileSync(BASE).subarray(0, 300));
  await output("qemu-img", "create", "-q", "-f", "qcow2", join(home, "a.qcow2"), "1M");
  const uses: [number, RegExp, ...string[]][] = [
    [64, /which image\? .* -i/],
    [64, /which image\?/, folder],
    [64, /^vboximg-mount: -w needs -l: /, "-w"],
    [64, /unexpected argument: .*; give the image with -i; see vboximg-mount --help$/m, leaf, folder],
    [64, /unexpected argument: b; see vboximg-mount --help$/m, "-i", leaf, folder, "b"],
    [64, /the directory to mount on is missing/, "-i", leaf],
    [64, /^vboximg-mount: -i needs a value/, "-i"],
    [64, /^vboximg-mount: unknown option -f/, "-f", "-i", leaf, folder],
    [64, /--image is given more than once/, "-i", leaf, "-i", leaf, folder],
    [64, /the name of the image is empty/, "-i", "", folder],
    [64, /-o uid=0: unknown mount option/, "-i", leaf, "-o", "uid=0", folder],
    [65, /cut\.vdi/, "-i", "cut.vdi", folder],
    [66, /no such file/, "-i", "./nothing.vdi", folder],
    [66, /no such file, and no machine has/, "-i", "nothing", folder],
    [66, /mkdir -p/, "-i", leaf, join(folder, "nowhere")],
    [69, /qcow2/i, "-i", "a.qcow2", folder],
    [77, /not empty/, "-i", leaf, home],
  ];
  for (const [code, said, ...args] of uses) {
    const result = await vboximgMount(home, args);
    t.match(result, { code, stdout: "", stderr: said }, args.join(" "));
    t.match(result.stderr, /^vboximg-mount: .*\n$/);
  }
  t.same(readdirSync(folder), []);
});

t.test("-h, --help and -? print all options", async (t) => {
  const { home } = furnished(t);
  for (const args of [["-h"], ["--help"], ["-?"], ["-i", "x", "-h"]]) {
    const { code, stdout } = await vboximgMount(home, args);
    t.equal(code, 0);
    for (const option of [
      "-i, --image",
      "-l, --list",
      "-w, --wide",
      "-v, --verbose",
      "-g, --guest-filesystem",
    ]) {
      t.match(stdout, option);
    }
    for (const option of ["--vm", "--rw", "--root", "-o"]) t.match(stdout, ` ${option}`);
  }
});

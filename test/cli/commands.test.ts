import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { BASE, NEWEST, output, run, vdisk, VDISK, type Result } from "../support/command.js";

t.test("info prints the chain, the partitions and the file systems", async (t) => {
  const { code, stdout } = await vdisk("info", NEWEST);
  t.equal(code, 0);
  t.match(stdout, /vdi, differencing/);
  t.match(stdout, /MBR partition table, 2026c0de/);
  t.match(
    stdout,
    /vol1 +at 4194304 +11\.0 MiB .* fs1: ext4 +"web-root" +11111111-2222-4333-8444-555555555505/,
  );
  const json = JSON.parse((await vdisk("info", "--json", NEWEST)).stdout) as Record<string, unknown>;
  t.match(json, {
    path: NEWEST,
    size: 15728640,
    chain: [
      { format: "vdi", variant: "differencing", uuid: "5b2c9a4e-1f60-4d3b-9c1a-2f7e8d90a1b2" },
      { format: "vdi", variant: "dynamic", path: BASE },
    ],
    table: { kind: "mbr", uuid: "2026c0de" },
    volumes: [
      {
        index: 0,
        number: 1,
        offset: 1048576,
        size: 2097152,
        bootable: true,
        fileSystem: { type: "ext2", label: "boot" },
      },
      { index: 1, number: 5, offset: 4194304, fileSystem: { type: "ext4", label: "web-root" } },
    ],
    warnings: [],
  });
  t.match((await vdisk("info", "--verbose", NEWEST)).stdout, /blockSize +1048576/);
});

t.test("ls lists the tree; a path that begins with / is the guest's", async (t) => {
  t.equal(
    (await vdisk("ls", NEWEST)).stdout,
    `fs0\nfs1\nsnapshots\nvhdd\nvol0\nvol1\n{5b2c9a4e-1f60-4d3b-9c1a-2f7e8d90a1b2}.vdi\n`,
  );
  t.equal((await vdisk("ls", NEWEST, "/etc")).stdout, "fstab\nhostname\nos-release\nshadow\n");
  t.equal((await vdisk("ls", NEWEST, "fs1/etc/")).stdout, "fstab\nhostname\nos-release\nshadow\n");
  t.equal((await vdisk("ls", NEWEST, "/etc/fstab")).stdout, "/etc/fstab\n");
});

t.test("ls -l prints what ls -l prints for a mount", async (t) => {
  const { stdout } = await vdisk("ls", "-l", NEWEST, "/etc");
  t.match(stdout, /^-rw-r----- +1 +0 +0 +26 +\d{4}-\d\d-\d\d \d\d:\d\d +shadow$/m);
  t.match(stdout, /^lrwxrwxrwx .* os-release -> \.\.\/usr\/lib\/os-release$/m);
});

t.test("ls -R lists all directories below, --json prints all details", async (t) => {
  t.match((await vdisk("ls", "-R", NEWEST, "/home")).stdout, "/home:\nme\n\n/home/me:\nnotes.txt\n");
  const entries = JSON.parse((await vdisk("ls", NEWEST, "-R", "--json", "fs1/home")).stdout) as unknown[];
  t.match(entries, [
    { path: "fs1/home/me", type: "directory", mode: "0700", uid: 1000 },
    { path: "fs1/home/me/notes.txt", type: "file", size: 19, modified: "2026-03-01T12:00:00.000000000Z" },
  ]);
  t.same(JSON.parse((await vdisk("ls", NEWEST, "--json", "fs1/lost+found")).stdout), []);
});

t.test("cat writes the files of each state, and follows links as the guest would", async (t) => {
  t.equal((await vdisk("cat", NEWEST, "/etc/os-release")).stdout, 'NAME="Example Linux"\nVERSION="12"\n');
  t.equal((await vdisk("cat", BASE, "/etc/os-release")).stdout, 'NAME="Example Linux"\nVERSION="11"\n');
  t.equal(
    (await vdisk("cat", NEWEST, "/etc/hostname", "fs0/grub.cfg")).stdout,
    'web\nmenuentry "Example Linux"\n',
  );
});

t.test("cat vhdd writes the same disk as qemu-img convert", async (t) => {
  const folder = t.testdir();
  await run("qemu-img", ["convert", "-O", "raw", BASE, join(folder, "raw")]);
  await run("sh", ["-c", `"${process.execPath}" "${VDISK}" cat "${BASE}" vhdd > "${folder}/ours"`]);
  t.ok(readFileSync(join(folder, "raw")).equals(readFileSync(join(folder, "ours"))));
});

t.test("options may come before or after the image", async (t) => {
  const after = await vdisk("ls", NEWEST, "/etc", "-l");
  const before = await vdisk("ls", "-l", NEWEST, "/etc");
  t.equal(after.code, 0);
  t.equal(after.stdout, before.stdout);
  t.equal(
    (await vdisk("info", "--allow-dir", "/tmp", NEWEST)).code,
    0,
    "an option takes one value, not the image",
  );
});

t.test("a reader of standard output that ends early is no error", async (t) => {
  const { stdout, stderr } = await run("sh", [
    "-c",
    `"${process.execPath}" "${VDISK}" cat "${NEWEST}" vhdd | head -c 3 | wc -c`,
  ]);
  t.equal(stdout.trim(), "3");
  t.equal(stderr, "");
});

t.test("a name behind -- may begin with a dash", async (t) => {
  const folder = t.testdir({ "-dash.vdi": readFileSync(BASE) });
  const inFolder = (...args: string[]): Promise<Result> =>
    run("sh", ["-c", 'cd "$1" && shift && exec "$@"', "sh", folder, process.execPath, VDISK, ...args]);
  t.match(await inFolder("ls", "--", "-dash.vdi"), { code: 0, stdout: /^-dash\.vdi\nfs0\n/ });
  t.match(await inFolder("cat", "--", "-dash.vdi", "fs1/etc/hostname"), { code: 0, stdout: "web\n" });
  t.match(await inFolder("cat", "--", "-dash.vdi", "-x"), {
    code: 66,
    stderr: /"-x" does not exist in the top directory/,
  });
});

t.test("vdisk does not crash if standard output or standard error cannot be written", async (t) => {
  for (const args of [["info"], ["cat", "vhdd"], ["ls"]] as const) {
    const [command, ...path] = args;
    const script = '"$@" >/dev/full';
    const result = await run("sh", ["-c", script, "sh", process.execPath, VDISK, command, NEWEST, ...path]);
    t.match(result, { code: 74, stderr: "vdisk: standard output: write failed: no space left on device\n" });
  }
  const unheard = ["-c", '"$@" 2>/dev/full', "sh", process.execPath, VDISK, "info", "/nowhere"];
  t.equal((await run("sh", unheard)).code, 66);
});

t.test("a current folder that was removed is reported in one line", async (t) => {
  const folder = t.testdir({ gone: {} });
  const script = 'cd "$1/gone" && rmdir "$1/gone" && shift && exec "$@"';
  const result = await run("sh", ["-c", script, "sh", folder, process.execPath, VDISK, "info", NEWEST]);
  t.match(result, { code: 66, stderr: /^vdisk: the current folder does not exist any more.*\n$/ });
});

t.test("an error is one line that says what to do, and an exit code", async (t) => {
  const folder = t.testdir({
    empty: "",
    "notes.txt": "Remember the milk.\n".repeat(100),
    "cut.vdi": readFileSync(BASE).subarray(0, 100),
    "short.vdi": readFileSync(BASE).subarray(0, 2 ** 21),
    alone: { inside: { "orphan.vdi": readFileSync(NEWEST) } },
  });
  const cases: [number, RegExp, ...string[]][] = [
    [64, /^vdisk: .*/],
    [64, /^vdisk: there is no command "nonsense"; see vdisk --help$/m, "nonsense"],
    [64, /^vdisk: IMAGE is missing; see vdisk ls --help$/m, "ls"],
    [64, /^vdisk: MOUNT-POINT is missing; see vdisk mount --help$/m, "mount", NEWEST],
    [64, /^vdisk: IMAGE and PATH are missing; see vdisk cat --help$/m, "cat"],
    [64, /^vdisk: MOUNT-POINT is missing; see vdisk unmount --help$/m, "umount"],
    [64, /^vdisk: unknown option --foo; see vdisk --help$/m, "--foo"],
    [64, /^vdisk: unknown option --frobnicate; see vdisk ls --help$/m, "ls", "--frobnicate", NEWEST],
    [64, /^vdisk: unknown option --foo-bar; see vdisk ls --help$/m, "ls", "--foo-bar", NEWEST],
    [64, /^vdisk: unknown option --no-foo; see vdisk ls --help$/m, "ls", "--no-foo", NEWEST],
    [64, /^vdisk: unknown options -Z, --snapsot; see vdisk ls --help$/m, "ls", "-Z", NEWEST, "--snapsot=x"],
    [
      64,
      /^vdisk: --fuse-backend x: unknown value; use auto, /m,
      "mount",
      "--fuse-backend",
      "x",
      NEWEST,
      folder,
    ],
    [64, /^vdisk: @x is not a valid time; .*; see vdisk info --help$/m, "info", NEWEST, "--snapshot", "@x"],
    [64, /^vdisk: there is no command "mont"; did you mean mount\? See vdisk --help$/m, "help", "mont"],
    [66, /^vdisk: .*- dash 1/m, "info", NEWEST, "--snapshot", "- dash 1"],
    [64, /^vdisk: unexpected argument: c; see vdisk ls --help$/m, "ls", NEWEST, "b", "c"],
    [64, /^vdisk: there is no command "mont"; did you mean mount\?/m, "mont", NEWEST],
    [64, /^vdisk: --snapshot needs a value/m, "info", NEWEST, "--snapshot"],
    [64, /^vdisk: .*colour/i, "ls", NEWEST, "--colour"],
    [
      64,
      /^vdisk: --log-level loud: unknown value; use fatal, .*, silent; see vdisk ls --help$/m,
      "ls",
      "--log-level",
      "loud",
      NEWEST,
    ],
    [64, /-o rw: a mount of vdisk is read-only/, "mount", "-o", "rw", NEWEST, folder],
    [64, /-o noatime=1: unknown mount option/, "mount", "-o", "ro,noatime=1", NEWEST, folder],
    [64, /-o suid: unknown mount option; valid options are /, "mount", "-o", "suid", NEWEST, folder],
    [65, /is empty, not a disk image/, "info", `${folder}/empty`],
    [69, /this is a text, not a disk image/, "info", `${folder}/notes.txt`],
    [65, /cut\.vdi, byte 0x0: the space for a VDI header is 100 bytes/, "info", `${folder}/cut.vdi`],
    [65, /short\.vdi, byte 0x[0-9a-f]+: .*cut short/, "cat", `${folder}/short.vdi`, "vhdd"],
    [
      66,
      /orphan\.vdi: its parent, the image \{[-0-9a-f]+\}, was not found .*--allow-dir/,
      "info",
      `${folder}/alone/inside/orphan.vdi`,
    ],
    [66, /nothing\.vdi: no such file/, "info", `${folder}/nothing.vdi`],
    [69, /this directory contains no \.vbox file, so it is not the folder of a machine; /, "info", folder],
    [64, /-o snapshot=base: .*; use --snapshot=base; see/, "mount", NEWEST, folder, "-o", "ro,snapshot=base"],
    [64, /-o allow_live: .*; use --allow-live; see/, "mount", NEWEST, folder, "-o", "allow_live"],
    [66, /"etc" does not exist in the top directory; .*: try \/etc\/fstab\)/, "cat", NEWEST, "etc/fstab"],
    [66, /"fs9" does not exist in the top directory\)/, "ls", NEWEST, "fs9/etc"],
    [69, /a character device/, "info", "/dev/null"],
    [
      66,
      /^vdisk: no such file in the image: \/etc\/nothing \("nothing" does not exist in \/etc\)$/m,
      "cat",
      NEWEST,
      "/etc/nothing",
    ],
    [69, /\/etc: this is a directory, but must be a regular file/, "cat", NEWEST, "/etc"],
    [66, /the mount point does not exist; mkdir -p/, "mount", NEWEST, `${folder}/nowhere`],
    [77, /the mount point is not empty/, "mount", NEWEST, folder],
    [77, /the mount point is not a directory/, "mount", NEWEST, `${folder}/empty`],
    [66, /no vdisk is mounted here/, "unmount", folder],
    [64, /the name of the image is empty/, "info", ""],
    [64, /the name of the mount point is empty/, "mount", NEWEST, ""],
    [
      66,
      /no such directory in the image: \/etc\/hostname\/ \(it is a regular file\)/,
      "ls",
      NEWEST,
      "/etc/hostname/",
    ],
    [64, /--codepage 438: unknown value; use 437, /, "ls", "--codepage", "438", NEWEST],
    [64, /--codepage is given more/, "ls", "--codepage", "850", "--codepage", "437", NEWEST],
    [
      64,
      /--time-zone Mars\/Olympus: unknown value; /,
      "mount",
      "--time-zone",
      "Mars/Olympus",
      NEWEST,
      folder,
    ],
    [
      66,
      /^vdisk: --allow-dir .*\/nowhere: no such folder$/m,
      "ls",
      "--allow-dir",
      `${folder}/nowhere`,
      NEWEST,
    ],
  ];
  for (const [code, complaint, ...args] of cases) {
    const result = await vdisk(...args);
    t.equal(result.code, code, args.join(" "));
    t.match(result.stderr.replace(/^\{"level":40.*\n/gm, ""), complaint);
    const lines = result.stderr.split("\n").filter((line) => line !== "" && !line.startsWith('{"level":40'));
    t.equal(lines.length, 1, "one line, but for warnings");
    t.notMatch(result.stderr, /TypeError|RangeError|bug in vdisk|\n +at /);
  }
});

t.test("help COMMAND prints what COMMAND --help prints, and help what --help prints", async (t) => {
  for (const command of [["mount"], ["ls"], []]) {
    const { code, stdout } = await vdisk("help", ...command);
    t.equal(code, 0);
    t.equal(stdout, (await vdisk(...command, "--help")).stdout);
  }
});

t.test("a raw image's variant is not repeated", async (t) => {
  const folder = t.testdir({ "disk.img": Buffer.alloc(1024) });
  const { stdout } = await vdisk("info", join(folder, "disk.img"));
  t.match(stdout, /^ {2}format +raw$/m);
  t.match(stdout, /disk\.img +raw +1\.0 KiB/);
});

t.test("an image without read permission is reported in one line", async (t) => {
  if (process.getuid!() !== 0) return;
  const folder = t.testdir({ "mine.img": Buffer.alloc(512) });
  await run("chmod", ["0600", `${folder}/mine.img`]);
  // The way to the image has to be open to others, or it is the way that is refused.
  const { code, stderr } = await run("setpriv", [
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    process.execPath,
    VDISK,
    "info",
    `${folder}/mine.img`,
  ]);
  t.equal(code, 77);
  t.match(stderr, /^vdisk: .*mine\.img: permission denied by the host/);
});

t.test("a directory that contains itself is listed once, and reported as damaged", async (t) => {
  const image = `${t.testdir()}/loop.img`;
  await output("mke2fs", "-q", "-t", "ext4", image, "2M");
  await output("debugfs", "-w", "-R", "link <2> loop", image);
  const { code, stdout, stderr } = await vdisk("ls", "-R", image, "/");
  t.equal(stdout, "/:\nloop\nlost+found\n\n/lost+found:\n");
  t.match(stderr, /^vdisk: \/loop: this directory is already listed under another name$/m);
  t.equal(code, 65);
});

t.test("output that cannot be written is an error of the host, not a bug", async (t) => {
  const { code, stderr } = await run("sh", [
    "-c",
    `exec "$@" >/dev/full`,
    "sh",
    process.execPath,
    VDISK,
    "cat",
    NEWEST,
    "vhdd",
  ]);
  t.equal(code, 74);
  t.equal(stderr, "vdisk: standard output: write failed: no space left on device\n");
});

t.test("control characters in names of the host's files do not reach the terminal", async (t) => {
  const folder = t.testdir({ alone: {}, whole: {} });
  const name = "a\nb\x1b[31m.vdi";
  const [alone, whole] = [join(folder, "alone", name), join(folder, "whole", name)];
  cpSync(NEWEST, alone);
  cpSync(NEWEST, whole);
  cpSync(BASE, join(folder, "whole/base.vdi"));
  writeFileSync(join(folder, "odd\n\x1b[31m.img"), "x".repeat(600) + "\0");
  const printed = "a\\x0ab\\x1b[31m.vdi";
  const complaint = await vdisk("info", alone);
  t.ok(complaint.stderr.startsWith(`vdisk: ${folder}/alone/${printed}: its parent`), complaint.stderr);
  t.equal(complaint.stderr.split("\n").length, 2);
  const { stdout } = await vdisk("info", "--verbose", whole);
  t.notOk(stdout.includes("\x1b"));
  t.equal(stdout.split(printed).length - 1, 3, "the image, its place in the chain and its details");
  // Its size is a warning, which is for people where standard error is a terminal.
  const odd = await run(
    "script",
    [...["--quiet", "--echo", "never", "--command", '"$NODE" "$VDISK" ls "$ODD"', "/dev/null"]],
    { NODE: process.execPath, VDISK, ODD: join(folder, "odd\n\x1b[31m.img") },
  );
  t.match(odd.stdout, /odd\\x0a\\x1b\[31m\.img: 601 bytes are not whole sectors/);
});

t.test("cat writes the bytes before the damage, and then reports it", async (t) => {
  const folder = t.testdir({ "cut.img": readFileSync(BASE).subarray(0, 1024 + 700_416) });
  await run("sh", ["-c", `cd "${folder}"; qemu-img convert -O raw "${BASE}" whole; mv cut.img cut.vdi`]);
  const { code, stderr } = await run("sh", [
    "-c",
    `"$@" > "${folder}/ours"`,
    "sh",
    process.execPath,
    VDISK,
    "cat",
    `${folder}/cut.vdi`,
    "vhdd",
  ]);
  t.equal(code, 65);
  t.match(stderr, /the image is cut short/);
  const ours = readFileSync(`${folder}/ours`);
  const whole = readFileSync(`${folder}/whole`);
  t.ok(ours.length >= 512, `${ours.length} bytes`);
  t.ok(ours.equals(whole.subarray(0, ours.length)));
});

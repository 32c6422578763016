/** What the commands print of a disk with a damaged part, and how they end. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { writeVdi } from "../image/vdi/builder.js";
import { vdisk } from "../support/command.js";

const MIB = 2 ** 20;
const SECTOR = 512;

/** Where the partitions begin, in sectors: fs0 is small, with boot files; fs1 holds the system. */
const BOOT = 2048;
const ROOT = 4096;

/** A disk with two file systems, as `change` leaves it. */
function image(t: Test, change: (bytes: Buffer) => void, debugfs?: string): string {
  const folder = t.testdir({ boot: { "menu.cfg": "menu\n" }, root: {} });
  for (const name of ["etc", "usr", "sub", "sub2"]) mkdirSync(join(folder, "root", name));
  writeFileSync(join(folder, "root/etc/fstab"), "mounts\n");
  const path = join(folder, "disk.img");
  writeFileSync(path, "");
  truncateSync(path, 6 * MIB);
  const table = `label: dos\nstart=${BOOT},size=2048,type=83\nstart=${ROOT},size=6144,type=83\n`;
  execFileSync("sfdisk", ["-q", path], { input: table, stdio: ["pipe", "ignore", "pipe"] });
  const make = (start: number, files: string, size: string): void => {
    const place = `${path}?offset=${start * SECTOR}`;
    const options = [
      "-q",
      "-F",
      "-b",
      "1024",
      "-O",
      "^has_journal,^metadata_csum",
      "-d",
      join(folder, files),
    ];
    execFileSync("mke2fs", [...options, "-E", `offset=${start * SECTOR}`, path, size], { stdio: "pipe" });
    if (start === ROOT && debugfs !== undefined)
      execFileSync("debugfs", ["-w", "-f", "-", place], { input: debugfs, stdio: ["pipe", "pipe", "pipe"] });
  };
  make(BOOT, "boot", "1000k");
  make(ROOT, "root", "3000k");
  const bytes = readFileSync(path);
  change(bytes);
  writeFileSync(path, bytes);
  return path;
}

/** Leaves the magic number of the second file system's superblock alone, and nothing that makes sense of it. */
const damageRoot = (bytes: Buffer): void => {
  bytes.writeUInt32LE(0xffff_ffff, ROOT * SECTOR + 1024 + 0x18);
};

const timesIn = (text: string, part: string): number => text.split(part).length - 1;

t.test(
  "commands that list a disk print everything except a damaged file system, and end with an error",
  async (t) => {
    const path = image(t, damageRoot);
    const reason = "disk.img vol1, byte 0x418: ";
    for (const [args, lines] of [
      [
        ["info", path],
        ["fs0: ext2", "cannot be read"],
      ],
      [
        ["info", "--json", path],
        ['"fileSystem": {', '"code": "CORRUPT"'],
      ],
      [
        ["list", path],
        ["ext2", "cannot be read"],
      ],
      [["list", "--json", path], ['"name": "vol1"']],
      [
        ["ls", path],
        ["fs0\n", "vol1\n"],
      ],
      [["ls", "-l", path], ["fs0\n"]],
      [["ls", "--json", path], ['"path":"fs0"']],
      [
        ["ls", "-R", path],
        ["fs0:\n", "menu.cfg\n"],
      ],
    ] as const) {
      const { code, stdout, stderr } = await vdisk(...args);
      t.equal(code, 65, args.join(" "));
      for (const line of lines) t.ok(stdout.includes(line), `${args.join(" ")}: ${line}`);
      t.equal(
        timesIn(stdout + stderr, reason) - (args[1] === "--json" && args[0] === "info" ? 1 : 0),
        1,
        stderr,
      );
    }
  },
);

t.test("commands on sound files of such a disk succeed, and log what is missing", async (t) => {
  const path = image(t, damageRoot);
  for (const args of [
    ["cat", path, "fs0/menu.cfg"],
    ["ls", "-lR", path, "fs0"],
  ]) {
    const { code, stderr } = await vdisk(...args);
    t.equal(code, 0);
    t.match(stderr, /^\{"level":40.*fs1 is not shown: .*\}\n$/);
  }
});

t.test("commands on files of the damaged file system report its error once", async (t) => {
  const path = image(t, damageRoot);
  for (const wanted of ["/etc/fstab", "fs1/etc/fstab", "fs1"]) {
    const { code, stdout, stderr } = await vdisk("cat", path, wanted);
    t.match({ code, stdout }, { code: 65, stdout: "" });
    t.match(
      stderr,
      wanted.startsWith("/") ? /^vdisk: \/ should be on vol1 \(Linux native\)/ : /^vdisk: fs1 cannot be read/,
    );
    t.equal(timesIn(stderr, "\n"), 1, stderr);
  }
});

t.test("a damaged directory is reported once, however often a listing reaches it", async (t) => {
  const path = image(t, () => undefined, "sif /sub links_count 1\nsif /sub mode 0\nsif /sub2 mode 0\n");
  for (const options of [["-l"], ["-lR"], ["--json"], ["-R", "--json"]]) {
    const { code, stdout, stderr } = await vdisk("ls", ...options, path, "/");
    t.equal(code, 65);
    const lines = stderr.split("\n").filter((line) => line !== "");
    t.equal(lines.length, 2, stderr);
    t.equal(new Set(lines).size, 2);
    if (options.includes("--json")) {
      const listed = JSON.parse(stdout) as { path: string; error?: { code: string } }[];
      t.equal(listed.find((entry) => entry.path === "/sub")?.error?.code, "CORRUPT");
    }
    t.match(stdout, options.includes("--json") ? /"name": ?"fstab"|"name": ?"etc"/ : / etc$/m);
  }
});

t.test("cat continues with the next file, and ends with the code of the first error", async (t) => {
  const path = image(t, () => undefined);
  const result = await vdisk("cat", path, "/etc/none", "/etc/fstab", "/etc", "fs0/menu.cfg");
  t.match(result, { code: 66, stdout: "mounts\nmenu\n" });
  t.equal(timesIn(result.stderr, "\n"), 2, result.stderr);
});

t.test("a disk whose partition table cannot be read is one volume", async (t) => {
  const path = image(t, () => undefined);
  const bytes = readFileSync(path);
  const vdi = join(t.testdir(), "disk.vdi");
  const { writeVdi } = await import("../image/vdi/builder.js");
  await writeVdi(vdi, {
    diskSize: bytes.length,
    blockSize: MIB,
    blocks: new Map([
      [0, bytes.subarray(0, MIB)],
      [2, bytes.subarray(2 * MIB, 3 * MIB)],
    ]),
  });
  const written = readFileSync(vdi);
  written.writeUInt32LE(0x7fff_ffff, written.readUInt32LE(0x154)); // the block map's first entry
  writeFileSync(vdi, written);
  const { code, stdout, stderr } = await vdisk("list", vdi);
  t.match({ code, stdout }, { code: 65, stdout: /^vol0 +0 +12288 +6\.0 MiB/m });
  t.match(stderr, /the partition table cannot be read, vol0 is the whole disk: .*block map's entry 0/);
  t.match(await vdisk("ls", vdi), { code: 65, stdout: "disk.vdi\nvhdd\nvol0\n" });
});

t.test(
  "listing a state in snapshots/ ends with an error if a part of it is damaged; listing a directory in it does not",
  async (t) => {
    const folder = t.testdir({ disk: {} });
    const path = image(t, damageRoot);
    const [base, child] = ["12345678-0000-4000-8000-000000000001", "12345678-0000-4000-8000-000000000002"];
    const bytes = readFileSync(path);
    const blocks = new Map<number, Buffer>();
    for (let block = 0; block < bytes.length / MIB; block++)
      blocks.set(block, bytes.subarray(block * MIB, (block + 1) * MIB));
    const root = join(folder, "disk");
    mkdirSync(root, { recursive: true });
    await writeVdi(join(root, "base.vdi"), { diskSize: bytes.length, uuid: base, blocks });
    const newest = join(root, "child.vdi");
    await writeVdi(newest, {
      diskSize: bytes.length,
      uuid: child,
      parentUuid: base,
      type: 4,
      blocks: new Map(),
    });
    const state = await vdisk("ls", newest, "snapshots/base.vdi");
    t.match(state, { code: 65, stdout: /^fs0$/m, stderr: /vol1, byte 0x418: / });
    t.notMatch(state.stdout, /^fs1$/m);
    t.match(await vdisk("ls", newest, "snapshots/base.vdi/fs0"), { code: 0, stdout: /^menu\.cfg$/m });
  },
);

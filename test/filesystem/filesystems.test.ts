/** What is found on volumes of which the first sectors cannot be read, or look like something else. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { DiskError } from "../../src/errors.js";
import type { BlockSource } from "../../src/extent/extent.js";
import { memorySource } from "../../src/extent/runs.js";
import { openFileSystem } from "../../src/filesystem/filesystems.js";
import { damaged } from "../volume/support.js";

const MIB = 2 ** 20;

/** The bytes of a volume of `size` bytes that `program` made a file system on. */
function made(t: Test, size: number, program: string, ...args: string[]): Buffer {
  const path = join(t.testdir(), "volume");
  writeFileSync(path, "");
  truncateSync(path, size);
  execFileSync(program, [...args, path], { stdio: "ignore" });
  return readFileSync(path);
}

function ext(t: Test, ...options: string[]): Buffer {
  const files = join(t.testdirName, "..", "filesystems-files");
  mkdirSync(join(files, "etc"), { recursive: true });
  return made(t, 4 * MIB, "mke2fs", "-q", "-F", "-t", "ext4", "-d", files, ...options);
}

const source = (bytes: Buffer): BlockSource => memorySource(bytes, "volume");

async function typeOn(volume: BlockSource): Promise<string | undefined> {
  return (await openFileSystem(volume))?.facts.type;
}

async function problemOf(volume: BlockSource): Promise<DiskError> {
  const error = await openFileSystem(volume).catch((error: unknown) => error);
  if (error instanceof DiskError) return error;
  throw new Error(`it is no DiskError: ${String(error)}`);
}

t.test("an ext whose first sectors cannot be read is found by its superblock", async (t) => {
  const bytes = ext(t);
  for (const length of [1, 512, 1024]) t.equal(await typeOn(damaged(source(bytes), 0, length)), "ext4");
});

t.test("an NTFS whose first sector cannot be read is found by its backup boot sector", async (t) => {
  const bytes = made(t, 4 * MIB, "mkntfs", "-q", "-F", "-f");
  for (const length of [512, 8192]) {
    const fileSystem = await openFileSystem(damaged(source(bytes), 0, length));
    t.equal(fileSystem?.facts.type, "ntfs");
    t.match(fileSystem?.facts.warnings.join("\n"), /its backup at byte 4193792 is used: .*a cluster is lost/);
  }
});

t.test("FAT32 and exFAT whose first sector cannot be read are found by their copies", async (t) => {
  const fat = made(t, 40 * MIB, "mkfs.fat", "-F", "32");
  t.equal(await typeOn(damaged(source(fat), 0, 512)), "fat32");
  const exfat = made(t, 4 * MIB, "mkfs.exfat");
  t.equal(await typeOn(damaged(source(exfat), 0, 512)), "exfat");
});

t.test("what an old NTFS left behind is not shown in place of an ext that cannot be read", async (t) => {
  const old = made(t, 4 * MIB, "mkntfs", "-q", "-F", "-f");
  const bytes = ext(t);
  old.subarray(4 * MIB - 512).copy(bytes, 4 * MIB - 512);
  bytes.writeUInt32LE(0x8000_0000, 1024 + 0x60); // a feature that nobody knows
  t.match(await problemOf(source(bytes)), { code: "UNSUPPORTED" });
  t.match(await problemOf(damaged(source(bytes), 0, 512)), { code: "UNSUPPORTED" });
});

t.test("a FAT over a damaged ext superblock is shown", async (t) => {
  const bytes = made(t, 40 * MIB, "mkfs.fat", "-F", "32");
  ext(t).copy(bytes, 1024, 1024, 2048);
  bytes.writeUInt32LE(0xffff_ffff, 1024 + 0x18); // the size of a block
  t.equal(await typeOn(source(bytes)), "fat32");
});

t.test("where nothing is found, the sectors that could not be read are the reason", async (t) => {
  t.equal(await typeOn(source(Buffer.alloc(MIB))), undefined);
  for (const offset of [0, 512, 1024, 1536]) {
    t.match(await problemOf(damaged(source(Buffer.alloc(MIB)), offset, 1)), { message: /a cluster is lost/ });
  }
  t.equal(await typeOn(damaged(source(Buffer.alloc(100)), 100, 1)), undefined);
});

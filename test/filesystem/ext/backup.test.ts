/** A superblock or group descriptors that are gone are replaced by their copies, but never by those of an older file system. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, openSync, closeSync, readSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { read } from "../../../src/extent/read.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { openFileSystem } from "../../../src/filesystem/filesystems.js";
import { Superblock } from "../../../src/filesystem/ext/superblock.js";
import { rawSource, run, walk, withFolder } from "./support.js";

/** Overwrites `[offset, offset + bytes.length)` of the file at `path`. */
function overwrite(path: string, offset: number, bytes: Buffer): void {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}

function bytesOf(path: string, offset: number, length: number): Buffer {
  const file = openSync(path, "r");
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, offset);
  closeSync(file);
  return bytes;
}

/** What is found on the image at `path`: every file by its path in hexadecimal, with its contents, and the warnings. */
async function filesOn(
  path: string,
): Promise<{ files: Record<string, string>; warnings: readonly string[] } | undefined> {
  const volume = await rawSource(path);
  try {
    const fs = await openFileSystem(volume);
    return fs && { files: await contentsOf(fs), warnings: fs.facts.warnings };
  } finally {
    await volume.close();
  }
}

async function contentsOf(fs: FileSystem): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const { path, id, attributes } of walk(fs)) {
    if (attributes.type !== "file") continue;
    const source = await fs.open(id);
    files[path] = (await read(source, 0, source.size)).toString("latin1");
  }
  return files;
}

function made(folder: string, size: string, ...mke2fs: string[]): string {
  const files = join(folder, "files");
  mkdirSync(join(files, "below"), { recursive: true });
  for (const name of ["one", "two", "below/three"]) writeFileSync(join(files, name), `${name} `.repeat(500));
  const path = join(folder, "image");
  run("mke2fs", "-q", "-F", "-d", files, ...mke2fs, path, size);
  return path;
}

const KINDS: readonly [what: string, size: string, ...mke2fs: string[]][] = [
  ["ext2, blocks of 1 KiB", "20M", "-t", "ext2", "-b", "1024"],
  ["ext4, blocks of 1 KiB", "40M", "-t", "ext4", "-b", "1024"],
  ["ext3, blocks of 2 KiB", "80M", "-t", "ext3", "-b", "2048"],
  ["ext4, blocks of 4 KiB", "300M", "-t", "ext4", "-b", "4096"],
  ["ext2 without sparse_super", "300M", "-t", "ext2", "-b", "4096", "-O", "^sparse_super,^resize_inode"],
  ["sparse_super2", "300M", "-t", "ext4", "-b", "4096", "-O", "sparse_super2"],
  ["meta_bg", "400M", "-t", "ext4", "-b", "4096", "-O", "meta_bg,^resize_inode"],
  ["without flex_bg and 64bit", "300M", "-t", "ext4", "-b", "4096", "-O", "^flex_bg,^64bit"],
  ["bigalloc", "3G", "-t", "ext4", "-b", "4096", "-O", "bigalloc"],
  ["bigalloc, blocks of 1 KiB", "200M", "-t", "ext4", "-b", "1024", "-O", "bigalloc"],
  ["blocks of 64 KiB", "5G", "-t", "ext4", "-b", "65536"],
];

const BLANKS: readonly [what: string, from: number, to: number][] = [
  ["the superblock", 1024, 2048],
  ["the first 4 KiB", 0, 4096],
  ["the first 64 KiB", 0, 65536],
];

for (const [kind, size, ...mke2fs] of KINDS) {
  t.test(`${kind}: all is read when the start is blank`, (t) =>
    withFolder(async (folder) => {
      const path = made(folder, size, ...mke2fs);
      const sound = (await filesOn(path))!;
      t.equal(Object.keys(sound.files).length, 3);
      t.same(sound.warnings, []);
      for (const [what, from, to] of BLANKS) {
        // Without room for descriptors to come, the root directory's inode lies there.
        if (mke2fs.some((argument) => argument.includes("^resize_inode")) && to === 65536) continue;
        const before = bytesOf(path, from, to - from);
        for (const filler of [0, 0x5a]) {
          overwrite(path, from, Buffer.alloc(to - from, filler));
          const found = await filesOn(path);
          t.same(found?.files, sound.files, `${what}, filled with ${filler}`);
          t.match(found?.warnings[0], /its copy in group \d+ is used/);
        }
        overwrite(path, from, before);
      }
      t.same((await filesOn(path))?.warnings, [], "the image is whole again");
    }),
  );
}

t.test("debugfs reads the same once e2fsck has put a copy of the superblock back", (t) =>
  withFolder(async (folder) => {
    const path = made(folder, "40M", "-t", "ext4", "-b", "1024");
    overwrite(path, 1024, Buffer.alloc(1024));
    const found = await filesOn(path);
    spawnSync("e2fsck", ["-fy", path], { stdio: "ignore" });
    const judge = run("debugfs", "-R", "cat one", path);
    t.equal(found?.files[`/${Buffer.from("one").toString("hex")}`], judge);
  }),
);

t.test("copies of an older file system are not taken for the one that was lost", (t) =>
  withFolder(async (folder) => {
    const path = made(folder, "300M", "-t", "ext4", "-b", "1024", "-L", "old");
    const files = join(folder, "newer");
    mkdirSync(files);
    writeFileSync(join(files, "newer"), "newer");
    // A later time of making: both would be made within the same second.
    execFileSync("mke2fs", ["-q", "-F", "-t", "ext4", "-b", "4096", "-d", files, path, "300M"], {
      env: { ...process.env, E2FSPROGS_FAKE_TIME: String(Math.floor(Date.now() / 1000) + 60) },
      stdio: "ignore",
    });
    overwrite(path, 1024, Buffer.alloc(1024));
    const found = await filesOn(path);
    t.same(Object.values(found?.files ?? {}), ["newer"], "the newest is taken");
  }),
);

t.test("what was made over an ext is not taken for it", (t) =>
  withFolder(async (folder) => {
    const path = made(folder, "300M", "-t", "ext4", "-b", "4096");
    run("mkswap", path);
    t.equal(await filesOn(path), undefined, "swap space");
    const xfs = made(join(folder, "xfs"), "300M", "-t", "ext4", "-b", "4096");
    overwrite(xfs, 0, Buffer.concat([Buffer.from("XFSB"), Buffer.alloc(4092)]));
    t.equal(await filesOn(xfs), undefined, "XFS");
    const root = made(join(folder, "root"), "300M", "-t", "ext4", "-b", "4096");
    overwrite(root, 0, Buffer.alloc(64 * 2 ** 20, 0x11));
    t.equal(await filesOn(root), undefined, "the root directory is overwritten");
    const fat = made(join(folder, "fat"), "300M", "-t", "ext4", "-b", "4096");
    run("mkfs.fat", "-F", "32", fat);
    t.same((await filesOn(fat))?.files, {}, "FAT");
    const cut = made(join(folder, "cut"), "300M", "-t", "ext4", "-b", "4096");
    overwrite(cut, 0, Buffer.alloc(4096));
    truncateSync(cut, 200 * 2 ** 20);
    t.equal(await filesOn(cut), undefined, "a larger file system than the volume");
  }),
);

t.test("a superblock whose values are possible but wrong is replaced by its copy", (t) =>
  withFolder(async (folder) => {
    for (const [index, features] of ["metadata_csum", "^metadata_csum"].entries()) {
      const path = made(join(folder, String(index)), "40M", "-t", "ext4", "-b", "1024", "-O", features);
      const sound = (await filesOn(path))!;
      const { inodeSize, uuid } = Superblock.fields;
      overwrite(path, 1024 + inodeSize.offset, Buffer.from([128, 0]));
      const found = await filesOn(path);
      t.same(found?.files, sound.files, features);
      t.match(found?.warnings[0], /its copy in group 1 is used/);
      if (features.startsWith("^")) continue;
      overwrite(path, 1024 + inodeSize.offset, Buffer.from([0, 1]));
      overwrite(path, 1024 + uuid.offset, Buffer.alloc(16, 7));
      const other = await filesOn(path);
      t.same(other?.files, sound.files, "another UUID, by which all checksums begin");
    }
  }),
);

for (const [kind, size, ...mke2fs] of KINDS.slice(0, 9)) {
  t.test(`${kind}: group descriptors that are damaged are replaced by copies`, (t) =>
    withFolder(async (folder) => {
      const path = made(folder, size, ...mke2fs);
      const sound = (await filesOn(path))!;
      const blockSize = Number(mke2fs[mke2fs.indexOf("-b") + 1]);
      const at = blockSize === 1024 ? 2048 : blockSize;
      for (const filler of [0, 0xff, 0x13]) {
        overwrite(path, at, Buffer.alloc(blockSize, filler));
        const found = await filesOn(path);
        t.same(found?.files, sound.files, `filled with ${filler}`);
        t.match(found?.warnings, [/group descriptors are damaged, copies are used: groups 0, 1/]);
      }
    }),
  );
}

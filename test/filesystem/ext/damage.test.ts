/** Every field of every structure set wrong, and blocks at random: right bytes or a DiskError, soon. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { Fields, Struct } from "../../../src/bytes/struct.js";
import { DiskError } from "../../../src/errors.js";
import type { BlockSource } from "../../../src/extent/extent.js";
import { read } from "../../../src/extent/read.js";
import { memorySource } from "../../../src/extent/runs.js";
import { EntryRecord } from "../../../src/filesystem/ext/entry.js";
import { extDriver } from "../../../src/filesystem/ext/ext.js";
import { ExtentHeader, ExtentIndex, ExtentLeaf } from "../../../src/filesystem/ext/extents.js";
import { GroupDescriptor, groupOf, inodeOffset, readGroup } from "../../../src/filesystem/ext/group.js";
import { InodeRecord, LargeInodeRecord } from "../../../src/filesystem/ext/inode.js";
import { openMedium } from "../../../src/filesystem/ext/open.js";
import { EXT_SUPERBLOCK_OFFSET } from "../../../src/extent/signatures.js";
import { Superblock } from "../../../src/filesystem/ext/superblock.js";
import { AttributeHeader, AttributeRecord } from "../../../src/filesystem/ext/xattr.js";
import { readWhatIsReadable, run, walk, withFolder } from "./support.js";

const SOON = 5000; // milliseconds for an image of 2 MiB
/** Nodes of the small image of which every field is damaged: one of each kind. */
const NODES = ["f7", "f100", "scattered", "sub", "short", "long"];

/** A small image of one kind, with a bit of everything. */
async function smallImage(...mke2fs: string[]): Promise<Buffer> {
  return withFolder(async (folder) => {
    const files = join(folder, "files");
    mkdirSync(join(files, "sub/deeper"), { recursive: true });
    for (const size of [0, 7, 100, 1000, 13_000, 90_001]) {
      writeFileSync(join(files, `f${size}`), Buffer.alloc(size, `${size} bytes. `));
    }
    const scattered = Buffer.alloc(200_000); // every other block is a hole: more extents than fit into the inode
    for (let at = 0; at < scattered.length; at += 2048) scattered[at] = 1 + (at % 251);
    writeFileSync(join(files, "scattered"), scattered);
    for (let i = 0; i < 10; i++)
      writeFileSync(join(files, "sub", `a-name-that-takes-room-${i}`), i < 3 ? "x" : "");
    symlinkSync("f7", join(files, "short"));
    symlinkSync("long/".repeat(40), join(files, "long"));
    run("setfattr", "-n", "user.short", "-v", "value", join(files, "f7"));
    run("setfattr", "-n", "user.long", "-v", "v".repeat(500), join(files, "f100"));
    const image = join(folder, "image");
    run("mke2fs", "-q", "-F", "-b", "1024", "-N", "128", "-d", files, ...mke2fs, image, "2M");
    return readFileSync(image);
  });
}

/** Where the structures of `image` lie. */
async function structuresOf(image: Buffer): Promise<[Struct<Fields>, number][]> {
  const volume = memorySource(image, "image");
  const { medium } = (await openMedium(volume))!;
  const fs = (await extDriver.open(volume))!;
  const { blockSize, inodeSize, descriptorSize } = medium.geometry;
  const places: [Struct<Fields>, number][] = [[Superblock, EXT_SUPERBLOCK_OFFSET]];
  places.push([GroupDescriptor, (medium.geometry.superblockBlock + 1) * blockSize]);
  if (descriptorSize < GroupDescriptor.size) throw new Error("no descriptor");
  const ids = await Promise.all(NODES.map((name) => fs.lookup(fs.root, Buffer.from(name))));
  for (const number of [fs.root, ...ids.map((id) => id!)]) {
    const offset = inodeOffset(medium, number, await readGroup(medium, groupOf(medium, number)));
    const inode = InodeRecord.view(image, offset);
    places.push([InodeRecord, offset]);
    if (inodeSize > InodeRecord.size) {
      places.push([LargeInodeRecord, offset]);
      const body = offset + 128 + image.readUInt16LE(offset + 128);
      if (image.readUInt32LE(body) === 0xea020000) places.push([AttributeRecord, body + 4]);
    }
    if (inode.attributesBlockLow > 0) {
      places.push([AttributeHeader, inode.attributesBlockLow * blockSize]);
      places.push([AttributeRecord, inode.attributesBlockLow * blockSize + AttributeHeader.size]);
    }
    const root = offset + InodeRecord.fields.block.offset;
    if (ExtentHeader.view(image, root).magic !== 0xf30a) {
      const block = image.readUInt32LE(root);
      if (inode.mode >>> 12 === 4 && block > 0 && block < 2048) places.push([EntryRecord, block * blockSize]);
      continue;
    }
    const depth = ExtentHeader.view(image, root).depth;
    places.push([ExtentHeader, root], [depth > 0 ? ExtentIndex : ExtentLeaf, root + 12]);
    const child = image.readUInt32LE(root + (depth > 0 ? 16 : 20)) * blockSize;
    if (depth > 0) places.push([ExtentHeader, child], [ExtentLeaf, child + 12], [ExtentLeaf, child + 24]);
    else if (inode.mode >>> 12 === 4) places.push([EntryRecord, child], [EntryRecord, child + 24]);
  }
  return places;
}

/** The hash of every file that can be read to its end, by inode. */
async function contentsBy(volume: BlockSource): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  const fs = await extDriver.open(volume);
  if (fs === undefined) return found;
  const readable = walk(fs, fs.root, "", new Set(), () => undefined);
  for (;;) {
    try {
      const next = await readable.next();
      if (next.done) break;
      const { id, attributes } = next.value;
      if (attributes.type !== "file" || attributes.size > 2 ** 21) continue;
      const source = await fs.open(id);
      found.set(
        id,
        createHash("sha256")
          .update(await read(source, 0, source.size))
          .digest("hex"),
      );
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }
  return found;
}

async function survive(image: Buffer, what: string, wrong: string[]): Promise<void> {
  const started = performance.now();
  try {
    const fs = await extDriver.open(memorySource(image, "image"));
    if (fs !== undefined) await readWhatIsReadable(fs);
  } catch (error) {
    if (!(error instanceof DiskError)) wrong.push(`${what}: ${(error as Error).stack ?? String(error)}`);
  }
  if (performance.now() - started > SOON) wrong.push(`${what}: ${performance.now() - started} ms`);
}

const KINDS: readonly [name: string, ...mke2fs: string[]][] = [
  ["ext2", "-t", "ext2", "-I", "128"],
  [
    "ext4 without checksums",
    "-t",
    "ext4",
    "-I",
    "256",
    "-O",
    "^metadata_csum,^uninit_bg,^has_journal,inline_data",
  ],
  ["ext4 with checksums", "-t", "ext4", "-I", "256", "-O", "metadata_csum,^has_journal,inline_data"],
];

for (const [name, ...mke2fs] of KINDS) {
  t.test(
    `${name}: with any field of any structure wrong, all ends in bytes or in a DiskError, soon`,
    async (t) => {
      const image = await smallImage(...mke2fs);
      const right = await contentsBy(memorySource(image, "image"));
      t.ok(right.size > 15, `${right.size} files to begin with`);
      const isChecked = mke2fs.some((argument) => argument.startsWith("metadata_csum"));
      const wrong: string[] = [];
      let count = 0;
      for (const [structure, offset] of await structuresOf(image)) {
        for (const [key, field] of Object.entries(structure.fields)) {
          const at = offset + field.offset;
          const before = Buffer.from(image.subarray(at, at + field.length));
          for (const value of [0, 1, 0xff]) {
            image.fill(value === 1 ? 0 : value, at, at + field.length);
            if (value === 1) image[at] = before[0]! ^ 1;
            if (image.subarray(at, at + field.length).equals(before)) continue;
            count++;
            const what = `${structure.name}.${key} at ${offset} filled with ${value}`;
            await survive(image, what, wrong);
            if (isChecked && structure !== (Superblock as unknown)) {
              for (const [id, hash] of await contentsBy(memorySource(image, "image"))) {
                if (right.get(id) !== hash)
                  wrong.push(`${what}: inode ${id} has other contents, and no error`);
              }
            }
          }
          before.copy(image, at);
        }
      }
      t.same(wrong.slice(0, 5), [], `${count} damaged images`);
      t.same(await contentsBy(memorySource(image, "image")), right, "and the image is whole again");
    },
  );

  t.test(`${name}: with random bytes wrong, all ends in bytes or in a DiskError, soon`, async (t) => {
    const image = await smallImage(...mke2fs);
    const random = generator(4711);
    const wrong: string[] = [];
    // Metadata lies in the first part of so small an image: aim there.
    const reach = Math.min(image.length, 200 * 1024);
    for (let round = 0; round < 200; round++) {
      const copy = Buffer.from(image);
      const hits = 1 + (random() % 8);
      for (let hit = 0; hit < hits; hit++) {
        const at = EXT_SUPERBLOCK_OFFSET + 1024 * (hit === 0 ? 1 : 0) + (random() % (reach - 4096));
        const kind = random() % 4;
        if (kind === 0) copy.fill(random() & 0xff, at, at + (random() % 1024));
        else if (kind === 1) copy.copy(copy, at - (at % 1024), random() % reach, (random() % reach) + 1024);
        else if (kind === 2) copy.writeUInt32LE(random() % 4096, at - (at % 4));
        else copy[at] = random() & 0xff;
      }
      await survive(copy, `round ${round}`, wrong);
    }
    t.same(wrong.slice(0, 5), []);
  });
}

/** Numbers that are the same every time: xorshift32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}

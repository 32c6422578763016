/**
 * Images with several large numbers that agree with each other, as sparse files: what a single changed field does not
 * reach.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { loadBase } from "../fuzz/images/bases.js";
import { buildVdi } from "../image/vdi/builder.js";

const MIB = 2 ** 20;
const SECTOR = 512;

/** Writes a sparse file of `size` bytes with `parts` in it; returns `path`. */
function sparse(
  path: string,
  size: number,
  parts: readonly (readonly [offset: number, bytes: Buffer])[],
): string {
  const fd = openSync(path, "w");
  for (const [offset, bytes] of parts) writeSync(fd, bytes, 0, bytes.length, offset);
  ftruncateSync(fd, size);
  closeSync(fd);
  return path;
}

/**
 * A VDI with as many blocks as its fields can count: the block map ends before byte 2^32, where the field for the place
 * of the data ends. All entries of the map are 0, so that no block follows the one before, and none is a hole.
 */
export function largestVdi(folder: string): string {
  const blockCount = 2 ** 30 - 2048;
  const dataOffset = 2 ** 32 - 4096;
  const header = buildVdi({ diskSize: MIB }).subarray(0, SECTOR);
  header.writeUInt32LE(dataOffset, 0x158);
  header.writeBigUInt64LE(BigInt(blockCount) * BigInt(MIB), 0x170);
  header.writeUInt32LE(blockCount, 0x180);
  return sparse(join(folder, "largest.vdi"), dataOffset + MIB, [[0, header]]);
}

/** The top of a chain of `count` differencing images. */
export function longChain(folder: string, count: number): string {
  const within = join(folder, "chain");
  mkdirSync(within);
  const uuid = (index: number): string => `11111111-2222-3333-4444-${String(index).padStart(12, "0")}`;
  for (let index = 0; index < count; index++) {
    const parent = index + 1 < count && { type: 4, parentUuid: uuid(index + 1) };
    const image = buildVdi({ diskSize: 4 * MIB, uuid: uuid(index), ...parent });
    sparse(join(within, `${index}.vdi`), image.length, [[0, image]]);
  }
  return join(within, "0.vdi");
}

/** A differencing image among `count` other files that are called images; its parent is none of them. */
export function crowdedFolder(folder: string, count: number): string {
  const within = join(folder, "crowded");
  mkdirSync(within);
  for (let index = 0; index < count; index++) closeSync(openSync(join(within, `${index}.vdi`), "w"));
  const image = buildVdi({ diskSize: 4 * MIB, type: 4, parentUuid: "11111111-2222-3333-4444-555555555555" });
  return sparse(join(within, "top.vdi"), image.length, [[0, image]]);
}

/**
 * An ext2 of 2^18 groups with blocks of 1 KiB, whose descriptors lie in 2^13 places all over it. Its root directory has
 * 2^32 - 1 bytes, almost all of them holes; of one of its files, all indirect blocks of all levels are one block.
 */
export function largestExt(folder: string): string {
  const [image] = loadBase("ext2").files as [Buffer];
  const [superblock, block, inodeSize, table] = [1024, 1024, 128, inodeTable(loadBase("ext2").files[0]!)];
  const groups = 2 ** 18;
  const blocks = 1 + groups * image.readUInt32LE(superblock + 0x20);
  image.writeUInt32LE(groups * image.readUInt32LE(superblock + 0x28), superblock);
  image.writeUInt32LE(blocks, superblock + 4);
  image.writeUInt32LE(image.readUInt32LE(superblock + 0x60) | 0x10, superblock + 0x60); // meta_bg
  image.writeUInt32LE(1, superblock + 0x104); // from the second block of descriptors on
  const inode = (number: number): number => table + (number - 1) * inodeSize;
  image.writeUInt32LE(0xffff_ffff, inode(2) + 4);
  const file = inode(fileOf(image, inode, 13_000));
  const indirect = image.length / block - 1; // the last block, which nothing else uses
  for (let at = indirect * block; at < image.length; at += 4) image.writeUInt32LE(indirect, at);
  image.writeUInt32LE(0, file + 4); // the size's lower half: 16 GiB
  image.writeUInt32LE(4, file + 0x6c);
  for (let level = 12; level < 15; level++) image.writeUInt32LE(indirect, file + 0x28 + 4 * level);
  return sparse(join(folder, "ext"), blocks * block, [[0, image]]);
}

function inodeTable(image: Buffer): number {
  return image.readUInt32LE(2048 + 8) * 1024; // by the first group's descriptor
}

function fileOf(image: Buffer, inode: (number: number) => number, size: number): number {
  for (let number = 11; number < 128; number++)
    if (image.readUInt32LE(inode(number) + 4) === size) return number;
  throw new Error("there is no such file");
}

/** An NTFS of 2^43 bytes, whose root directory has an index of 2^42 bytes: one hole. */
export function largestNtfs(folder: string): string {
  const [image] = loadBase("ntfs").files as [Buffer];
  const size = 2 ** 43;
  const boot = image.subarray(0, SECTOR);
  boot.writeBigUInt64LE(BigInt(size / SECTOR - 1), 0x28);
  const [clusterSize, recordSize] = [SECTOR * boot[0x0d]!, 1024];
  const record = Number(boot.readBigUInt64LE(0x30)) * clusterSize + 5 * recordSize;
  const index = attributeAt(image, record, 0xa0);
  const clusters = 2 ** 42 / clusterSize;
  image.writeBigUInt64LE(BigInt(clusters - 1), index + 0x18);
  for (const field of [0x28, 0x30, 0x38]) image.writeBigUInt64LE(2n ** 42n, index + field);
  const runs = index + image.readUInt16LE(index + 0x20);
  image[runs] = 5; // a length of five bytes, and no place
  image.writeUIntLE(clusters, runs + 1, 5);
  image[runs + 6] = 0;
  return sparse(join(folder, "ntfs"), size, [
    [0, image],
    [size - SECTOR, Buffer.from(boot)],
  ]);
}

function attributeAt(image: Buffer, record: number, type: number): number {
  let at = record + image.readUInt16LE(record + 0x14);
  while (image.readUInt32LE(at) !== type) at += image.readUInt32LE(at + 4);
  return at;
}

/** Group descriptors: where each group's inode table is. */
import { crc16, crc32c, crc32cOfWord } from "../../bytes/checksum.js";
import { readU16le, struct, u16le, u32le, type ViewOf } from "../../bytes/struct.js";
import { CorruptError, DiskError } from "../../errors.js";
import { read } from "../../extent/read.js";
import { Incompatible, ReadOnlyCompatible } from "./features.js";
import { word, type Medium } from "./medium.js";
import { firstBlockOf, hasSuperblock, type Geometry } from "./superblock.js";

/** A group descriptor. Source: Documentation/filesystems/ext4/group_descr.rst; ext4.h, ext4_group_desc. */
export const GroupDescriptor = struct("ext group descriptor", 32, {
  blockBitmapLow: u32le(0x00), // a block, as the next two
  inodeBitmapLow: u32le(0x04),
  inodeTableLow: u32le(0x08),
  freeClustersLow: u16le(0x0c),
  freeInodesLow: u16le(0x0e),
  flags: u16le(0x12),
  checksum: u16le(0x1e),
});
export type GroupDescriptor = ViewOf<typeof GroupDescriptor>;

/** What descriptors of 64 bytes and more have besides; offsets from the descriptor's start. */
export const WideGroupDescriptor = struct("ext 64-bit group descriptor", 64, {
  blockBitmapHigh: u32le(0x20),
  inodeBitmapHigh: u32le(0x24),
  inodeTableHigh: u32le(0x28),
  freeClustersHigh: u16le(0x2c),
  freeInodesHigh: u16le(0x2e),
});

export interface Group {
  /** The blocks of its bitmaps, and the first one of its inode table. */
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  /** Whether its checksum, if it has one, and its block number are right. */
  readonly isSound: boolean;
  /** Whether the primary descriptor is damaged, and this is a copy of it. */
  readonly isCopy: boolean;
}

/**
 * Descriptor `index` of the file system: the primary one if it is sound, else the first sound copy, else the primary
 * one as it is.
 * @throws {DiskError} if the primary descriptor cannot be read, and no copy is sound.
 */
export async function readGroup(medium: Medium, index: number): Promise<Group> {
  let primary: Group | undefined;
  let failure: DiskError | undefined;
  try {
    primary = await readPrimaryGroup(medium, index);
    if (primary.isSound) return primary;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    failure = error;
  }
  for (const offset of copiesOf(medium, index)) {
    try {
      const copy = await groupAt(medium, index, offset, true);
      if (copy.isSound) return copy;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error; // there are more copies
    }
  }
  if (primary === undefined) throw failure!;
  return primary;
}

/** The primary descriptor `index` as it is. @throws {DiskError} if it cannot be read. */
async function readPrimaryGroup(medium: Medium, index: number): Promise<Group> {
  return groupAt(medium, index, descriptorOffset(medium, index), false);
}

/** What is free in some groups together. */
export interface Free {
  readonly clusters: number;
  readonly inodes: number;
}

/**
 * What is free in the groups whose primary descriptors share a block with that of group `index`, the first of them.
 * Checksums are not verified: if one is wrong, there is no better information.
 * @throws {DiskError} if the block cannot be read.
 */
export async function readFree(medium: Medium, index: number): Promise<Free> {
  const { descriptorSize, descriptorsPerBlock, groupCount } = medium.geometry;
  const count = Math.min(descriptorsPerBlock, groupCount - index);
  const offset = descriptorOffset(medium, index);
  const length = count * descriptorSize;
  // With meta_bg, these blocks lie apart, and the cache's pages are large. A range past the volume's end is the cache's error.
  const isInside = offset + length <= medium.volume.size;
  const bytes = await (isInside ? read(medium.volume, offset, length) : medium.metadata.read(offset, length));
  const { freeClustersLow, freeInodesLow } = GroupDescriptor.fields;
  const { freeClustersHigh, freeInodesHigh } = WideGroupDescriptor.fields;
  const isWide = descriptorSize >= WideGroupDescriptor.size;
  let [clusters, inodes] = [0, 0];
  for (let at = 0; at < bytes.length; at += descriptorSize) {
    clusters += readU16le(bytes, at + freeClustersLow.offset);
    inodes += readU16le(bytes, at + freeInodesLow.offset);
    if (!isWide) continue;
    clusters += readU16le(bytes, at + freeClustersHigh.offset) * 2 ** 16;
    inodes += readU16le(bytes, at + freeInodesHigh.offset) * 2 ** 16;
  }
  return { clusters, inodes };
}

async function groupAt(medium: Medium, index: number, offset: number, isCopy: boolean): Promise<Group> {
  const { geometry } = medium;
  const bytes = await medium.metadata.read(offset, geometry.descriptorSize);
  const low = GroupDescriptor.view(bytes, 0, medium.volume.name, offset);
  const high = geometry.descriptorSize >= 64 ? WideGroupDescriptor.view(bytes) : undefined;
  const inodeTable = low.inodeTableLow + (high?.inodeTableHigh ?? 0) * 2 ** 32;
  return {
    blockBitmap: low.blockBitmapLow + (high?.blockBitmapHigh ?? 0) * 2 ** 32,
    inodeBitmap: low.inodeBitmapLow + (high?.inodeBitmapHigh ?? 0) * 2 ** 32,
    inodeTable,
    isSound: checksumFits(medium, bytes, index, low.checksum) && isInPlace(medium, index, inodeTable),
    isCopy,
  };
}

/** Whether an inode table at block `start` is within the file system, and not over the primary superblock and descriptors. */
function isTable({ geometry, superblock }: Medium, start: number): boolean {
  const { features, superblockBlock, groupCount, descriptorsPerBlock } = geometry;
  const isMeta = (features.incompatible & Incompatible.meta_bg) !== 0;
  const tables = Math.ceil(groupCount / descriptorsPerBlock);
  const primaryTables = isMeta ? Math.min(superblock.firstMetaGroup, tables) : tables;
  return start > superblockBlock + primaryTables && start + tableBlocks(geometry) <= geometry.blockCount;
}

/** The same for the table of group `index`, which lies within the group unless the file system has flex_bg. */
function isInPlace(medium: Medium, index: number, start: number): boolean {
  const { geometry } = medium;
  if (!isTable(medium, start)) return false;
  if ((geometry.features.incompatible & Incompatible.flex_bg) !== 0) return true;
  const first = firstBlockOf(geometry, index);
  return start >= first && start + tableBlocks(geometry) <= first + geometry.blocksPerGroup;
}

/** Blocks of a group's inode table. Source of what is checked: fs/ext4/super.c, ext4_check_descriptors. */
export function tableBlocks({ inodesPerGroup, inodeSize, blockSize }: Geometry): number {
  return Math.ceil((inodesPerGroup * inodeSize) / blockSize);
}

/**
 * The byte where inode `number` lies; the number is within the file system.
 * @throws {CorruptError} if the group's inode table cannot be where its descriptor says.
 */
export function inodeOffset(medium: Medium, number: number, group: Group): number {
  const { blockSize, inodeSize, inodesPerGroup } = medium.geometry;
  const skip = ((number - 1) % inodesPerGroup) * inodeSize;
  const index = groupOf(medium, number);
  if (!group.isSound && !isTable(medium, group.inodeTable)) {
    throw new CorruptError({
      file: medium.volume.name,
      offset: descriptorOffset(medium, index) + GroupDescriptor.fields.inodeTableLow.offset,
      thing: `the inode table of group ${index}`,
      found: `at block ${group.inodeTable}`,
      expected: `within the file system's ${medium.geometry.blockCount} blocks, behind the superblock and descriptors`,
    });
  }
  return group.inodeTable * blockSize + skip;
}

/** The group that inode `number` belongs to. */
export function groupOf({ geometry }: Pick<Medium, "geometry">, number: number): number {
  return Math.floor((number - 1) / geometry.inodesPerGroup);
}

/**
 * Where descriptor `index` lies: behind the superblock or, with meta_bg, at the start of the first of the groups
 * that its block of descriptors describes. Source: fs/ext4/super.c, descriptor_loc.
 */
function descriptorOffset({ geometry, superblock }: Medium, index: number): number {
  const { blockSize, descriptorsPerBlock, descriptorSize, superblockBlock } = geometry;
  const table = Math.floor(index / descriptorsPerBlock);
  const skip = (index % descriptorsPerBlock) * descriptorSize;
  const isMeta = (geometry.features.incompatible & Incompatible.meta_bg) !== 0;
  if (!isMeta || table < superblock.firstMetaGroup) return (superblockBlock + 1 + table) * blockSize + skip;
  const group = table * descriptorsPerBlock;
  let block = firstBlockOf(geometry, group);
  if (hasSuperblock(superblock, geometry, group)) block++;
  // Clusters begin at block 0, the superblock of such a file system with small blocks at block 1.
  if (table === 0 && blockSize === 1024 && geometry.firstDataBlock === 0) block++;
  return block * blockSize + skip;
}

/** Groups whose copies of the descriptors are tried, of those that have copies. */
const COPY_GROUPS = [1, 3, 5, 7, 9];

/** Where some of the copies of descriptor `index` lie. */
function copiesOf({ geometry, superblock }: Medium, index: number): number[] {
  const { blockSize, descriptorsPerBlock, descriptorSize, groupCount } = geometry;
  const table = Math.floor(index / descriptorsPerBlock);
  const skip = (index % descriptorsPerBlock) * descriptorSize;
  const isMeta = (geometry.features.incompatible & Incompatible.meta_bg) !== 0;
  const hasCopy = (group: number): boolean => hasSuperblock(superblock, geometry, group);
  if (isMeta && table >= superblock.firstMetaGroup) {
    // The second and the last of the groups that this block of descriptors is about.
    const first = table * descriptorsPerBlock;
    return [first + 1, first + descriptorsPerBlock - 1]
      .filter((group) => group < groupCount)
      .map((group) => (firstBlockOf(geometry, group) + (hasCopy(group) ? 1 : 0)) * blockSize + skip);
  }
  return [...COPY_GROUPS, superblock.backupGroup0, superblock.backupGroup1]
    .filter((group) => group > 0 && group < groupCount && hasCopy(group))
    .map((group) => (firstBlockOf(geometry, group) + 1 + table) * blockSize + skip);
}

/** Source: fs/ext4/super.c, ext4_group_desc_csum. */
function checksumFits(
  { geometry, superblock }: Medium,
  bytes: Buffer,
  index: number,
  found: number,
): boolean {
  const { checksum } = GroupDescriptor.fields;
  const before = bytes.subarray(0, checksum.offset);
  const after = bytes.subarray(checksum.offset + checksum.length);
  const features = geometry.features.readOnlyCompatible;
  if ((features & ReadOnlyCompatible.metadata_csum) !== 0) {
    const head = crc32c(crc32cOfWord(geometry.seed, index), before);
    return (crc32c(crc32c(head, Buffer.alloc(checksum.length)), after) & 0xffff) === found;
  }
  if ((features & ReadOnlyCompatible.uninit_bg) !== 0) {
    return crc16(crc16(crc16(crc16(0xffff, superblock.uuidBytes), word(index)), before), after) === found;
  }
  return true;
}

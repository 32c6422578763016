/** Group descriptors: where each group's inode table is. */
import { crc16, crc32c, crc32cOfWord } from "../../bytes/checksum.js";
import { struct, u16le, u32le, type ViewOf } from "../../bytes/struct.js";
import { CorruptError } from "../../errors.js";
import { Incompatible, ReadOnlyCompatible } from "./features.js";
import { holdsBlocks, word, type Medium } from "./medium.js";
import { hasSuperblock } from "./superblock.js";

/** A group descriptor. Source: Documentation/filesystems/ext4/group_descr.rst; ext4.h, ext4_group_desc. */
export const GroupDescriptor = struct("ext group descriptor", 32, {
  inodeTableLow: u32le(0x08), // a block
  freeClustersLow: u16le(0x0c),
  freeInodesLow: u16le(0x0e),
  flags: u16le(0x12),
  checksum: u16le(0x1e),
});
export type GroupDescriptor = ViewOf<typeof GroupDescriptor>;

/** What descriptors of 64 bytes and more have besides; offsets from the descriptor's start. */
export const WideGroupDescriptor = struct("ext 64-bit group descriptor", 64, {
  inodeTableHigh: u32le(0x28),
  freeClustersHigh: u16le(0x2c),
  freeInodesHigh: u16le(0x2e),
});

export interface Group {
  /** A block. */
  readonly inodeTable: number;
  readonly freeClusters: number;
  readonly freeInodes: number;
  readonly checksumFits: boolean;
}

/** Descriptor `index` of the file system. */
export async function readGroup(medium: Medium, index: number): Promise<Group> {
  const { geometry } = medium;
  const offset = descriptorOffset(medium, index);
  const bytes = await medium.metadata.read(offset, geometry.descriptorSize);
  const low = GroupDescriptor.view(bytes, 0, medium.volume.name, offset);
  const high = geometry.descriptorSize >= 64 ? WideGroupDescriptor.view(bytes) : undefined;
  return {
    inodeTable: low.inodeTableLow + (high?.inodeTableHigh ?? 0) * 2 ** 32,
    freeClusters: low.freeClustersLow + (high?.freeClustersHigh ?? 0) * 2 ** 16,
    freeInodes: low.freeInodesLow + (high?.freeInodesHigh ?? 0) * 2 ** 16,
    checksumFits: checksumFits(medium, bytes, index, low.checksum),
  };
}

/**
 * The byte where inode `number` lies; the number is within the file system.
 * @throws {CorruptError} when the group's inode table cannot be where its descriptor says.
 */
export function inodeOffset(medium: Medium, number: number, group: Group): number {
  const { blockSize, inodeSize, inodesPerGroup } = medium.geometry;
  const skip = ((number - 1) % inodesPerGroup) * inodeSize;
  const block = group.inodeTable + Math.floor(skip / blockSize);
  if (!holdsBlocks(medium, block, 1)) {
    throw new CorruptError({
      file: medium.volume.name,
      offset: descriptorOffset(medium, groupOf(medium, number)) + GroupDescriptor.fields.inodeTableLow.offset,
      thing: `the inode table of group ${groupOf(medium, number)}`,
      found: `block ${group.inodeTable}`,
      expected: `within the file system's ${medium.geometry.blockCount} blocks`,
    });
  }
  return group.inodeTable * blockSize + skip;
}

/** The group that inode `number` belongs to. */
export function groupOf({ geometry }: Medium, number: number): number {
  return Math.floor((number - 1) / geometry.inodesPerGroup);
}

/**
 * Where descriptor `index` lies: behind the superblock or, with meta_bg, at the head of the first of the groups
 * that its block of descriptors tells of. Source: fs/ext4/super.c, descriptor_loc.
 */
function descriptorOffset({ geometry, superblock }: Medium, index: number): number {
  const { blockSize, descriptorsPerBlock, descriptorSize, superblockBlock } = geometry;
  const table = Math.floor(index / descriptorsPerBlock);
  const skip = (index % descriptorsPerBlock) * descriptorSize;
  const isMeta = (geometry.features.incompatible & Incompatible.meta_bg) !== 0;
  if (!isMeta || table < superblock.firstMetaGroup) return (superblockBlock + 1 + table) * blockSize + skip;
  const group = table * descriptorsPerBlock;
  let block = geometry.firstDataBlock + group * geometry.blocksPerGroup;
  if (hasSuperblock(superblock, geometry, group)) block++;
  // Clusters begin at block 0, the superblock of such a file system with small blocks at block 1.
  if (table === 0 && blockSize === 1024 && geometry.firstDataBlock === 0) block++;
  return block * blockSize + skip;
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

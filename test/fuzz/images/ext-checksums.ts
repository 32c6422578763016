/**
 * ext4 with metadata_csum: superblock, group descriptors, inodes, directory and extent blocks, attribute blocks. Source:
 * Linux, Documentation/filesystems/ext4/checksums.rst.
 */
import { crc32c } from "../../../src/bytes/checksum.js";
import type { Region } from "./checksums.js";

const METADATA_CSUM = 0x400;
const [BIT64, CSUM_SEED, META_BG] = [0x80, 0x2000, 0x10] as const;
const SPARSE_SUPER2 = 0x200;
const [INDEX_FLAG, EXTENTS_FLAG, INLINE_FLAG] = [0x1000, 0x80000, 0x10000000] as const;
const ZERO = Buffer.alloc(4);

/** The file system that begins at byte `start`: what the sound image says of it. */
interface Layout {
  readonly start: number;
  readonly blockSize: number;
  readonly inodeSize: number;
  readonly seed: number;
}

export function extRegions(image: Buffer, start: number): Region[] {
  const superblock = start + 1024;
  if (superblock + 1024 > image.length || image.readUInt16LE(superblock + 0x38) !== 0xef53) return [];
  const u32 = (at: number): number => image.readUInt32LE(superblock + at);
  if ((u32(0x64) & METADATA_CSUM) === 0) return [];
  const seed =
    u32(0x60) & CSUM_SEED
      ? u32(0x270)
      : crc32c(0xffffffff, image.subarray(superblock + 0x68, superblock + 0x78));
  const layout = {
    start,
    blockSize: 1024 << u32(0x18),
    inodeSize: image.readUInt16LE(superblock + 0x58),
    seed,
  };
  const groups = Math.ceil((u32(0x04) - u32(0x14)) / u32(0x20));
  const regions = [superblockRegion(superblock, groups > 1)];
  for (let group = 0; group < groups; group++) {
    const size = u32(0x60) & BIT64 ? image.readUInt16LE(superblock + 0xfe) : 32;
    const at = start + descriptorOffset(image, superblock, layout.blockSize, group, size);
    regions.push(descriptorRegion(at, size, group, seed));
    if (image.readUInt16LE(at + 0x12) & 1) continue; // its inodes were never written
    const table = start + image.readUInt32LE(at + 8) * layout.blockSize;
    for (let index = 0; index < u32(0x28); index++) {
      const number = group * u32(0x28) + index + 1;
      addInode(regions, image, layout, number, table + index * layout.inodeSize);
    }
  }
  return regions;
}

/** Without the magic number nothing says that this is an ext, unless there is a copy. */
function superblockRegion(at: number, hasCopies: boolean): Region {
  return {
    offset: at,
    length: 1024,
    ...(!hasCopies && { uncovered: [0x38, 0x39] }),
    checksum(image) {
      if ((image.readUInt32LE(at + 0x64) & METADATA_CSUM) === 0) return undefined;
      return { at: at + 0x3fc, bytes: word(crc32c(0xffffffff, image.subarray(at, at + 0x3fc))) };
    },
  };
}

function descriptorOffset(
  image: Buffer,
  superblock: number,
  blockSize: number,
  group: number,
  size: number,
): number {
  const u32 = (at: number): number => image.readUInt32LE(superblock + at);
  const each = blockSize / size;
  if ((u32(0x60) & META_BG) === 0) return (u32(0x14) + 1) * blockSize + group * size;
  const first = group - (group % each);
  const backups = [u32(0x24c), u32(0x250)];
  const hasSuperblock = first === 0 || (u32(0x5c) & SPARSE_SUPER2 ? backups.includes(first) : true);
  const block = u32(0x14) + first * u32(0x20) + (hasSuperblock ? 1 : 0);
  return block * blockSize + (group - first) * size;
}

function descriptorRegion(at: number, size: number, group: number, seed: number): Region {
  return {
    offset: at,
    length: size,
    checksum(image) {
      const head = crc32c(crc32c(seed, word(group)), image.subarray(at, at + 0x1e));
      const whole = crc32c(crc32c(head, ZERO.subarray(0, 2)), image.subarray(at + 0x20, at + size));
      return { at: at + 0x1e, bytes: word(whole).subarray(0, 2) };
    },
  };
}

function addInode(regions: Region[], image: Buffer, layout: Layout, number: number, at: number): void {
  const { start, blockSize, inodeSize, seed } = layout;
  const mode = image.readUInt16LE(at);
  if (mode === 0) return;
  const flags = image.readUInt32LE(at + 0x20);
  // The generation is the inode's own; the other blocks' checksums begin with what it was in the sound image.
  const inodeSeed = crc32c(crc32c(seed, word(number)), image.subarray(at + 0x64, at + 0x68));
  if (inodeSize > 128) regions.push(inodeRegion(at, inodeSize, crc32c(seed, word(number))));
  const attributes = image.readUInt32LE(at + 0x68);
  if (attributes !== 0) regions.push(attributeRegion(start, attributes, blockSize, seed));
  if ((flags & EXTENTS_FLAG) === 0 || flags & INLINE_FLAG) return;
  const blocks = extentsOf(image, layout, at + 0x28, inodeSeed, regions);
  if (mode >>> 12 !== 4) return;
  for (const [logical, block] of blocks) {
    const isRoot = logical === 0 && (flags & INDEX_FLAG) !== 0;
    regions.push(directoryRegion(start + block * blockSize, blockSize, inodeSeed, isRoot));
  }
}

function inodeRegion(at: number, size: number, seed: number): Region {
  return {
    offset: at,
    length: size,
    checksum(image) {
      const inode = Buffer.from(image.subarray(at, at + size));
      inode.writeUInt16LE(0, 0x7c);
      inode.writeUInt16LE(0, 0x82);
      const whole = word(crc32c(crc32c(seed, inode.subarray(0x64, 0x68)), inode));
      // The two halves lie apart: what is between them is written as it is.
      const bytes = Buffer.from(image.subarray(at + 0x7c, at + 0x84));
      whole.copy(bytes, 0, 0, 2);
      whole.copy(bytes, 6, 2, 4);
      return { at: at + 0x7c, bytes };
    },
  };
}

function attributeRegion(start: number, block: number, blockSize: number, seed: number): Region {
  const at = start + block * blockSize;
  const number = Buffer.alloc(8);
  number.writeUInt32LE(block);
  return {
    offset: at,
    length: blockSize,
    checksum(image) {
      const copy = Buffer.from(image.subarray(at, at + blockSize));
      copy.writeUInt32LE(0, 0x10);
      return { at: at + 0x10, bytes: word(crc32c(crc32c(seed, number), copy)) };
    },
  };
}

function directoryRegion(at: number, blockSize: number, seed: number, isRoot: boolean): Region {
  const counts = 32;
  return {
    offset: at,
    length: blockSize,
    checksum(image) {
      const block = image.subarray(at, at + blockSize);
      if (!isRoot)
        return { at: at + blockSize - 4, bytes: word(crc32c(seed, block.subarray(0, blockSize - 12))) };
      const end = counts + block.readUInt16LE(counts) * 8;
      const used = counts + block.readUInt16LE(counts + 2) * 8;
      if (end + 8 > blockSize || used > end) return undefined;
      const head = crc32c(crc32c(seed, block.subarray(0, used)), block.subarray(end, end + 4));
      return { at: at + end + 4, bytes: word(crc32c(head, ZERO)) };
    },
  };
}

/** The blocks that the tree whose node lies at `at` names; its own blocks become regions. */
function extentsOf(
  image: Buffer,
  layout: Layout,
  at: number,
  seed: number,
  regions: Region[],
): [number, number][] {
  const count = image.readUInt16LE(at + 2);
  const depth = image.readUInt16LE(at + 6);
  const blocks: [number, number][] = [];
  for (let entry = at + 12; entry < at + 12 + count * 12; entry += 12) {
    if (depth > 0) {
      const child = layout.start + image.readUInt32LE(entry + 4) * layout.blockSize;
      regions.push(extentRegion(child, layout.blockSize, seed));
      blocks.push(...extentsOf(image, layout, child, seed, regions));
      continue;
    }
    const first = image.readUInt32LE(entry);
    for (let index = 0; index < image.readUInt16LE(entry + 4); index++)
      blocks.push([first + index, image.readUInt32LE(entry + 8) + index]);
  }
  return blocks;
}

function extentRegion(at: number, blockSize: number, seed: number): Region {
  return {
    offset: at,
    length: blockSize,
    checksum(image) {
      const end = 12 + image.readUInt16LE(at + 4) * 12;
      if (end + 4 > blockSize) return undefined;
      return { at: at + end, bytes: word(crc32c(seed, image.subarray(at, at + end))) };
    },
  };
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** Decodes one inode: its attributes, and how its contents are mapped. */
import { crc32c, crc32cOfWord } from "../../bytes/checksum.js";
import {
  i32le,
  readI32le,
  readU16le,
  readU32le,
  span,
  struct,
  u16le,
  u32le,
  type Field,
  type ViewOf,
} from "../../bytes/struct.js";
import type { Clock } from "../../bytes/time.js";
import { CorruptError } from "../../errors.js";
import type { MutableAttributes, NodeType } from "../attributes.js";
import { Incompatible, ReadOnlyCompatible } from "./features.js";
import { checksumError, type InodeContext, type Medium } from "./medium.js";

/** An inode's first 128 bytes. Source: Documentation/filesystems/ext4/inodes.rst; ext4.h, ext4_inode. */
export const InodeRecord = struct("ext inode", 128, {
  mode: u16le(0x00),
  uidLow: u16le(0x02),
  sizeLow: u32le(0x04),
  accessed: i32le(0x08),
  changed: i32le(0x0c),
  modified: i32le(0x10),
  deleted: u32le(0x14), // i_dtime
  gidLow: u16le(0x18),
  linkCount: u16le(0x1a),
  sectorsLow: u32le(0x1c), // i_blocks_lo
  flags: u32le(0x20),
  block: span(0x28, 60), // i_block: a block map, an extent tree's root, a link's target or inline data
  generation: u32le(0x64),
  attributesBlockLow: u32le(0x68), // i_file_acl_lo
  sizeHigh: u32le(0x6c),
  sectorsHigh: u16le(0x74),
  attributesBlockHigh: u16le(0x76),
  uidHigh: u16le(0x78),
  gidHigh: u16le(0x7a),
  checksumLow: u16le(0x7c),
});
export type InodeRecord = ViewOf<typeof InodeRecord>;

/** Further fields of inodes that are larger than 128 bytes; offsets from the start of the inode. */
export const LargeInodeRecord = struct("large ext inode", 160, {
  extraSize: u16le(0x80), // i_extra_isize: bytes past the first 128 that are fields
  checksumHigh: u16le(0x82),
  changedExtra: u32le(0x84), // nanoseconds << 2 | the epoch: how often 2^32 s are to be added
  modifiedExtra: u32le(0x88),
  accessedExtra: u32le(0x8c),
  created: i32le(0x90), // i_crtime
  createdExtra: u32le(0x94),
});

/** i_flags. */
export const InodeFlag = {
  encrypted: 0x800,
  indexed: 0x1000, // a directory with a hash tree
  hugeFile: 0x40000, // i_blocks counts blocks, not sectors
  extents: 0x80000,
  attributeValue: 0x200000, // EA_INODE: no file, but the value of an extended attribute
  inlineData: 0x10000000,
  casefold: 0x40000000,
} as const;

export const ROOT_INODE = 2;
/** The size of inodes in old file systems, and the smallest size now. Source: ext4.h, EXT4_GOOD_OLD_INODE_SIZE. */
const OLD_INODE_SIZE = 128;

/** An inode whose checksum and fields are right; it borrows its bytes. */
export interface SoundInode {
  readonly number: number;
  /** Absolute byte of its first byte: for error messages. */
  readonly offset: number;
  /** The whole inode. */
  readonly bytes: Buffer;
  readonly type: NodeType;
  readonly flags: number;
  /** i_extra_isize; 0 where there is no room for it. */
  readonly extraSize: number;
  /** What the checksums of its directory and extent blocks begin with. */
  readonly seed: number;
}

export interface Inode extends SoundInode {
  readonly record: InodeRecord;
  /** Bytes of its contents. */
  readonly size: number;
  /** The block of its extended attributes; 0 if there is none. */
  readonly attributesBlock: number;
  /** Where its fields end and attributes may begin: 128 + i_extra_isize; undefined if it has no such room. */
  readonly bodyAttributes: number | undefined;
}

/**
 * Inode `number`, whose `bytes` were read at `offset`. It borrows them.
 * @throws {CorruptError} if it is deleted, or its checksum, type or size is wrong.
 */
export function decodeInode(medium: Medium, number: number, bytes: Buffer, offset: number): Inode {
  const inode = checkInode(medium, number, bytes, offset);
  const { type, flags, extraSize, seed } = inode;
  const record = InodeRecord.view(bytes);
  const isWide = (medium.geometry.features.incompatible & Incompatible["64bit"]) !== 0;
  return {
    number,
    offset,
    bytes,
    type,
    flags,
    extraSize,
    seed,
    record,
    size: sizeOf(medium, inode),
    attributesBlock: record.attributesBlockLow + (isWide ? record.attributesBlockHigh * 2 ** 32 : 0),
    bodyAttributes: extraSize > 0 ? OLD_INODE_SIZE + extraSize : undefined,
  };
}

// Attributes are read by the hundred thousand: the functions that follow read the fields without views, which are objects.
const { fields } = InodeRecord;
const { fields: largeFields } = LargeInodeRecord;

/** Checks inode `number`, whose `bytes` lie at `offset`; throws as `decodeInode` does. */
export function checkInode(context: InodeContext, number: number, bytes: Buffer, offset: number): SoundInode {
  const isLarge = bytes.length > OLD_INODE_SIZE;
  const extraSize = isLarge ? readU16le(bytes, largeFields.extraSize.offset) : 0;
  if (isLarge && (OLD_INODE_SIZE + extraSize > bytes.length || extraSize % 4 !== 0)) {
    const expected = `a multiple of 4 up to ${bytes.length - OLD_INODE_SIZE}`;
    throw complaint(context, number, offset, largeFields.extraSize, "extra size", extraSize, expected);
  }
  const generation = readU32le(bytes, fields.generation.offset);
  const seed = crc32cOfWord(crc32cOfWord(context.geometry.seed, number), generation);
  if (context.geometry.checksummed && !checksumFits(bytes, seed, extraSize)) {
    throw checksumError(context, offset + fields.checksumLow.offset, `inode ${number}`);
  }
  if (readU16le(bytes, fields.linkCount.offset) === 0) {
    const expected = "at least 1: it is deleted";
    throw complaint(context, number, offset, fields.linkCount, "link count", 0, expected);
  }
  const mode = readU16le(bytes, fields.mode.offset);
  const type = TYPES[mode >>> 12];
  if (type === undefined) {
    const found = `0o${mode.toString(8)}`;
    throw complaint(context, number, offset, fields.mode, "mode", found, "that of a known type");
  }
  return { number, offset, bytes, type, flags: readU32le(bytes, fields.flags.offset), extraSize, seed };
}

/** Bytes of the contents of `inode`. @throws {CorruptError} if it is too large to be right. */
function sizeOf(context: InodeContext, { number, offset, bytes, type }: SoundInode): number {
  const { features } = context.geometry;
  const hasHighSize = type === "file" || (features.incompatible & Incompatible.large_dir) !== 0;
  const sizeHigh = hasHighSize ? readU32le(bytes, fields.sizeHigh.offset) : 0;
  const size = readU32le(bytes, fields.sizeLow.offset) + sizeHigh * 2 ** 32;
  if (!Number.isSafeInteger(size)) {
    const expected = "less than 2^53 bytes";
    throw complaint(context, number, offset, fields.sizeHigh, "size", size, expected);
  }
  return size;
}

/** Sets `into` to the attributes of `inode`. @throws {CorruptError} if its size is too large to be right. */
export function readStat(context: InodeContext, inode: SoundInode, into: MutableAttributes): void {
  const { number, bytes, type, flags, extraSize } = inode;
  const { features, blockSize } = context.geometry;
  const size = sizeOf(context, inode);
  const isHuge = (features.readOnlyCompatible & ReadOnlyCompatible.huge_file) !== 0;
  const sectorsHigh = isHuge ? readU16le(bytes, fields.sectorsHigh.offset) : 0;
  const units = readU32le(bytes, fields.sectorsLow.offset) + sectorsHigh * 2 ** 32;
  const sectors = isHuge && (flags & InodeFlag.hugeFile) !== 0 ? units * (blockSize / 512) : units;
  // An inline file has no blocks; the kernel still shows some (ext4_file_getattr), so that tar does not treat it as a hole.
  const isInlineFile = type === "file" && (flags & InodeFlag.inlineData) !== 0;
  const present = presentSize(bytes, extraSize);
  into.type = type;
  into.inode = number;
  into.permissions = readU16le(bytes, fields.mode.offset) & 0o7777;
  into.linkCount = readU16le(bytes, fields.linkCount.offset);
  into.uid = readU16le(bytes, fields.uidLow.offset) + readU16le(bytes, fields.uidHigh.offset) * 2 ** 16;
  into.gid = readU16le(bytes, fields.gidLow.offset) + readU16le(bytes, fields.gidHigh.offset) * 2 ** 16;
  into.size = size;
  into.allocatedSectors = sectors + (isInlineFile ? Math.ceil(size / 512) : 0);
  into.blockSize = blockSize;
  into.device =
    type === "block" || type === "character" ? deviceOf(InodeRecord.view(bytes).block) : undefined;
  setTime(into.accessed, bytes, fields.accessed.offset, largeFields.accessedExtra.offset, present);
  setTime(into.modified, bytes, fields.modified.offset, largeFields.modifiedExtra.offset, present);
  setTime(into.changed, bytes, fields.changed.offset, largeFields.changedExtra.offset, present);
  if (largeFields.created.offset + 4 > present) into.created = undefined;
  else {
    into.created ??= { seconds: 0, nanoseconds: 0 };
    setTime(into.created, bytes, largeFields.created.offset, largeFields.createdExtra.offset, present);
  }
  into.flags = flags & (type === "file" ? FLAGS_SHOWN_OF_FILES : FLAGS_SHOWN);
}

/** Source: fs/ext4/ext4.h, EXT4_FL_USER_VISIBLE; fs/ext4/ioctl.c, ext4_fileattr_get, on FS_PROJINHERIT_FL. */
const FLAGS_SHOWN = 0x725bdfff;
const FLAGS_SHOWN_OF_FILES = FLAGS_SHOWN & ~0x20000000;

/**
 * How many bytes of an inode are fields. An inode that was written before there were extra fields has zeros there; ext4_iget
 * then treats all of them as present.
 */
function presentSize(bytes: Buffer, extraSize: number): number {
  if (bytes.length === OLD_INODE_SIZE) return OLD_INODE_SIZE;
  return extraSize === 0 ? LargeInodeRecord.size : OLD_INODE_SIZE + extraSize;
}

function complaint(
  context: InodeContext,
  number: number,
  offset: number,
  field: Field<unknown>,
  thing: string,
  found: string | number,
  expected: string,
): CorruptError {
  return new CorruptError({
    file: context.volume.name,
    offset: offset + field.offset,
    thing: `the ${thing} of inode ${number}`,
    found,
    expected,
  });
}

/** The types of i_mode's upper four bits. */
const TYPES: Readonly<Record<number, NodeType>> = {
  0x1: "fifo",
  0x2: "character",
  0x4: "directory",
  0x6: "block",
  0x8: "file",
  0xa: "symlink",
  0xc: "socket",
};

/** Source: fs/ext4/inode.c, ext4_inode_csum; the upper half is there when the inode has room for it. */
function checksumFits(bytes: Buffer, seed: number, extraSize: number): boolean {
  const low = InodeRecord.fields.checksumLow.offset;
  const high = LargeInodeRecord.fields.checksumHigh.offset;
  let crc = crc32c(crc32c(seed, bytes, 0, low), NO_CHECKSUM);
  const hasHigh = bytes.length > OLD_INODE_SIZE && OLD_INODE_SIZE + extraSize >= high + 2;
  if (!hasHigh) return (crc32c(crc, bytes, low + 2) & 0xffff) === bytes.readUInt16LE(low);
  crc = crc32c(crc32c(crc, bytes, low + 2, high), NO_CHECKSUM);
  return crc32c(crc, bytes, high + 2) === bytes.readUInt16LE(low) + bytes.readUInt16LE(high) * 2 ** 16;
}

/** The checksum is computed with zeros in its own two bytes. */
const NO_CHECKSUM = Buffer.alloc(2);

/**
 * Source: ext4.h, ext4_decode_extra_time: the low two bits add 2^32 s each, above the signed 32-bit seconds.
 * @param extraAt where the further bits are, if they are among the `present` bytes.
 */
function setTime(clock: Clock, bytes: Buffer, at: number, extraAt: number, present: number): void {
  const extra = extraAt + 4 <= present ? readU32le(bytes, extraAt) : 0;
  clock.seconds = readI32le(bytes, at) + (extra & 3) * 2 ** 32;
  clock.nanoseconds = Math.min(extra >>> 2, NANOSECONDS_LIMIT - 1);
}

const NANOSECONDS_LIMIT = 1_000_000_000;

/** The old encoding in the first word, or the new one in the second. Source: linux/kdev_t.h. */
function deviceOf(block: Buffer): { major: number; minor: number } {
  const old = block.readUInt32LE(0);
  if (old !== 0) return { major: (old >>> 8) & 0xff, minor: old & 0xff };
  const wide = block.readUInt32LE(4);
  return { major: (wide >>> 8) & 0xfff, minor: (wide & 0xff) | ((wide >>> 12) & 0xfff00) };
}

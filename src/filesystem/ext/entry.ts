/**
 * Decodes the entries of a directory block. Source: Documentation/filesystems/ext4/directory.rst
 * ("Linear Directories"); ext4.h, ext4_dir_entry_2; fs/ext4/dir.c, __ext4_check_dir_entry.
 */
import { crc32c } from "../../bytes/checksum.js";
import { struct, u16le, u32le, u8 } from "../../bytes/struct.js";
import { CorruptError } from "../../errors.js";
import { damagedEntryName, NO_NODE } from "../damaged-entry.js";
import type { NodeType } from "../filesystem.js";

export const EntryRecord = struct("ext directory entry", 8, {
  inode: u32le(0), // 0: unused
  length: u16le(4), // bytes to the next entry
  nameLength: u8(6),
  type: u8(7), // with filetype; before it, the name length's upper half, always 0
});

export interface Entry {
  /** 0 if the entry is damaged. */
  readonly inode: number;
  /** Borrowed. Of a damaged entry: the name that says so. */
  readonly name: Buffer;
  readonly type: NodeType | undefined;
  /** Bytes from the directory's start: of this entry, and of the next. */
  readonly position: number;
  readonly next: number;
  /** Why the entry is damaged, though its length is sound. */
  readonly problem: CorruptError | undefined;
  /** The name that a damaged entry has on disk, where a path can contain it. */
  readonly storedName: Buffer | undefined;
}

/** A part of a directory that entries do not cross: a block, or one of the two parts of an inline directory. */
export interface Chunk {
  readonly bytes: Buffer;
  /** Bytes from the directory's start. */
  readonly position: number;
  /** Absolute byte in `file`. */
  readonly offset: number;
  readonly file: string;
}

/** What the entries of one directory have in common. */
export interface EntryRules {
  /** Whether entries state the type of their inode. */
  readonly hasTypes: boolean;
  /** The highest inode number of the file system. */
  readonly inodeCount: number;
  /** The name to show for a name on disk. */
  readonly shown: (name: Buffer) => Buffer;
}

/** The record and a name of up to four bytes: no entry is smaller. */
const SMALLEST_ENTRY = 12;
const CHECKSUM_TYPE = 0xde;
const SLASH = 0x2f;
const DOT = 0x2e;

/** file_type. Source: ext4.h, EXT4_FT_*. */
const TYPES: Readonly<Record<number, NodeType>> = {
  1: "file",
  2: "directory",
  3: "character",
  4: "block",
  5: "fifo",
  6: "socket",
  7: "symlink",
};

/**
 * Calls `visit` for every entry of `chunk` that is in use, except the directory's own "." and "..". An entry that is
 * damaged, but has a sound length, is visited with its `problem`.
 * @returns why the rest of the chunk cannot be read, if there is such damage: no entry behind it is visited.
 */
export function readEntries(
  chunk: Chunk,
  rules: EntryRules,
  visit: (entry: Entry) => void,
): CorruptError | undefined {
  const { bytes } = chunk;
  let ownDots = chunk.position === 0 ? 0 : DOT_BIT | DOT_DOT_BIT; // those that were found
  for (let at = 0; at < bytes.length;) {
    const length = lengthAt(bytes, at);
    if (length === undefined) return lengthError(chunk, at);
    const entry = entryOf(chunk, rules, at, length);
    if (entry !== undefined) {
      const dots = entry.problem === undefined ? dotsAt(bytes, at) : 0;
      if (dots === 0) {
        if (isNameCut(bytes, at, length) && !isChain(bytes, at + length)) return entry.problem;
        visit(entry);
      } else if ((ownDots & dots) === 0) ownDots |= dots;
      else visit(damaged(chunk, at, length, NAME, dots === DOT_BIT ? '"."' : '".."', ONLY_ONCE));
    }
    at += length;
  }
  return undefined;
}

/** The entry in use at `position` of the directory, or undefined if there is none. */
export function entryAt(chunk: Chunk, rules: EntryRules, position: number): Entry | undefined {
  const at = position - chunk.position;
  const length = at < 0 ? undefined : lengthAt(chunk.bytes, at);
  return length === undefined ? undefined : entryOf(chunk, rules, at, length);
}

/** The entry at `at`, which is `length` bytes long; undefined if it is unused. */
function entryOf(chunk: Chunk, rules: EntryRules, at: number, length: number): Entry | undefined {
  const { bytes, position } = chunk;
  const nameLength = bytes[at + EntryRecord.fields.nameLength.offset]!;
  if (isNameCut(bytes, at, length))
    return damaged(chunk, at, length, NAME_LENGTH, nameLength, `at most ${length - EntryRecord.size}`);
  const inode = bytes.readUInt32LE(at);
  if (inode === 0) return undefined;
  const name = rules.shown(bytes.subarray(at + EntryRecord.size, at + EntryRecord.size + nameLength));
  if (name.length === 0) return damaged(chunk, at, length, NAME, "empty", "at least one byte long");
  if (name.includes(0) || name.includes(SLASH))
    return damaged(
      chunk,
      at,
      length,
      NAME,
      JSON.stringify(name.toString()),
      "without a slash or a zero byte",
    );
  if (inode > rules.inodeCount)
    return damaged(chunk, at, length, INODE, inode, `from 1 to ${rules.inodeCount}`, name);
  const type = rules.hasTypes ? TYPES[bytes[at + EntryRecord.fields.type.offset]! & 0xf] : undefined;
  return {
    inode,
    name,
    type,
    position: position + at,
    next: position + at + length,
    problem: undefined,
    storedName: undefined,
  };
}

/** The length of the entry at `at`, or undefined if it is invalid. Source: fs/ext4/dir.c, __ext4_check_dir_entry. */
function lengthAt(bytes: Buffer, at: number): number | undefined {
  if (at + SMALLEST_ENTRY > bytes.length) return undefined;
  const length = entryLength(bytes.readUInt16LE(at + EntryRecord.fields.length.offset), bytes.length);
  const isSound = length >= SMALLEST_ENTRY && length % 4 === 0 && at + length <= bytes.length;
  return isSound ? length : undefined;
}

/** Whether the name of the entry at `at` is longer than the entry. */
function isNameCut(bytes: Buffer, at: number, length: number): boolean {
  return EntryRecord.size + bytes[at + EntryRecord.fields.nameLength.offset]! > length;
}

/**
 * Whether sound lengths lead from `at` to the end of `bytes`. If so, of an entry in front of them whose name is longer
 * than the entry, the name's length is wrong, and the entry's is right.
 */
function isChain(bytes: Buffer, at: number): boolean {
  for (let next = at; next < bytes.length;) {
    const length = lengthAt(bytes, next);
    if (length === undefined || isNameCut(bytes, next, length)) return false;
    next += length;
  }
  return true;
}

/** A bit for the names, as they are on disk, that a directory has for itself and its parent; 0 for other names. */
function dotsAt(bytes: Buffer, at: number): number {
  const nameLength = bytes[at + EntryRecord.fields.nameLength.offset]!;
  if (bytes[at + EntryRecord.size] !== DOT || nameLength > 2) return 0;
  if (nameLength === 1) return DOT_BIT;
  return bytes[at + EntryRecord.size + 1] === DOT ? DOT_DOT_BIT : 0;
}

const DOT_BIT = 1;
const DOT_DOT_BIT = 2;

const NAME = "the name of a directory entry";
const NAME_LENGTH = "the name's length in a directory entry";
const INODE = "the inode number of a directory entry";
const ONLY_ONCE = "in a directory only once";

function damaged(
  chunk: Chunk,
  at: number,
  length: number,
  thing: string,
  found: string | number,
  expected: string,
  storedName?: Buffer,
): Entry {
  const position = chunk.position + at;
  return {
    inode: NO_NODE,
    name: damagedEntryName(position),
    type: undefined,
    position,
    next: position + length,
    problem: new CorruptError({ file: chunk.file, offset: chunk.offset + at, thing, found, expected }),
    storedName,
  };
}

function lengthError({ bytes, file, offset }: Chunk, at: number): CorruptError {
  const isCut = at + SMALLEST_ENTRY > bytes.length;
  return new CorruptError({
    file,
    offset: offset + at,
    thing: isCut ? "the space left in a block of directory entries" : "the length of a directory entry",
    found: isCut ? bytes.length - at : bytes.readUInt16LE(at + EntryRecord.fields.length.offset),
    expected: isCut ? "0, or 12 bytes at least" : "a multiple of 4 from 12 to its block's end",
  });
}

/**
 * Whether the checksum of the directory block `bytes` fits: in an entry at its end that looks unused, or in a
 * block of the hash tree behind the last record that there is room for. Source: fs/ext4/namei.c,
 * ext4_dirblock_csum_verify and ext4_dx_csum_verify.
 */
export function blockChecksumFits(
  bytes: Buffer,
  seed: number,
  isFirst: boolean,
  isIndexed: boolean,
): boolean {
  const tail = bytes.length - TAIL_SIZE;
  const record = EntryRecord.view(bytes, tail);
  const isTail = record.inode === 0 && record.length === TAIL_SIZE && record.nameLength === 0;
  const counts = isIndexed ? hashCounts(bytes, isFirst) : undefined;
  if (counts === undefined) {
    const fits = isTail && record.type === CHECKSUM_TYPE;
    return fits && crc32c(seed, bytes.subarray(0, tail)) === bytes.readUInt32LE(bytes.length - 4);
  }
  const limit = bytes.readUInt16LE(counts);
  const count = bytes.readUInt16LE(counts + 2);
  const end = counts + limit * HASH_RECORD_SIZE;
  if (count > limit || end + HASH_TAIL_SIZE > bytes.length) return false;
  const used = crc32c(seed, bytes.subarray(0, counts + count * HASH_RECORD_SIZE));
  const reserved = crc32c(used, bytes.subarray(end, end + 4));
  return crc32c(reserved, NO_CHECKSUM) === bytes.readUInt32LE(end + 4);
}

const TAIL_SIZE = 12;
const HASH_RECORD_SIZE = 8;
const HASH_TAIL_SIZE = 8; // a reserved word, the checksum
const NO_CHECKSUM = Buffer.alloc(4);

/**
 * Where a block of the hash tree has its limit and count, or undefined if it is a block of entries: the root
 * lies in a ".." that reaches to the end of the block, a node in an unused entry as long as the block.
 */
function hashCounts(bytes: Buffer, isFirst: boolean): number | undefined {
  const first = entryLength(bytes.readUInt16LE(4), bytes.length);
  if (first === bytes.length) return EntryRecord.size;
  const isRoot =
    isFirst && first === 12 && entryLength(bytes.readUInt16LE(12 + 4), bytes.length) === bytes.length - 12;
  if (!isRoot) return undefined;
  const information = 24; // behind the names of "." and ".."; its sixth byte is its length
  return information + bytes[information + 5]!;
}

/** Decodes a length in sixteen bits, also of blocks of 64 KiB. Source: ext4.h, ext4_rec_len_from_disk. */
function entryLength(stored: number, blockSize: number): number {
  if (stored === 0xffff || stored === 0) return blockSize < 0x10000 ? stored : blockSize;
  return blockSize < 0x10000 ? stored : (stored & 0xfffc) | ((stored & 3) << 16);
}

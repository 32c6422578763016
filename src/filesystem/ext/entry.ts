/**
 * The entries of a directory block: bytes in, names out. Source: Documentation/filesystems/ext4/directory.rst
 * ("Linear Directories"); ext4.h, ext4_dir_entry_2; fs/ext4/dir.c, __ext4_check_dir_entry.
 */
import { crc32c } from "../../bytes/checksum.js";
import { struct, u16le, u32le, u8 } from "../../bytes/struct.js";
import { CorruptError } from "../../errors.js";
import type { NodeType } from "../filesystem.js";

export const EntryRecord = struct("ext directory entry", 8, {
  inode: u32le(0), // 0: unused
  length: u16le(4), // bytes to the next entry
  nameLength: u8(6),
  type: u8(7), // with filetype; before it, the name length's upper half, always 0
});

export interface Entry {
  readonly inode: number;
  /** Borrowed. */
  readonly name: Buffer;
  readonly type: NodeType | undefined;
  /** Bytes from the directory's start: of this entry, and of the next. */
  readonly position: number;
  readonly next: number;
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

/** Room for the record and a name of up to four bytes: no entry is smaller. */
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
 * Calls `visit` for every entry of `chunk` that is in use, but "." and "..", with its name as `shown` has it.
 * @returns what is wrong with the next entry, where something is: those before it were visited.
 */
export function readEntries(
  chunk: Chunk,
  hasTypes: boolean,
  inodeCount: number,
  shown: (name: Buffer) => Buffer,
  visit: (entry: Entry) => void,
): CorruptError | undefined {
  const { bytes, position } = chunk;
  for (let at = 0; at < bytes.length;) {
    if (at + SMALLEST_ENTRY > bytes.length)
      return complaint(chunk, at, "too near to its block's end", "12 bytes at least");
    const length = entryLength(bytes.readUInt16LE(at + EntryRecord.fields.length.offset), bytes.length);
    const nameLength = bytes[at + EntryRecord.fields.nameLength.offset]!;
    if (length < SMALLEST_ENTRY || length % 4 !== 0 || at + length > bytes.length)
      return complaint(chunk, at, `${length} bytes long`, "a multiple of 4 from 12 to its block's end");
    if (EntryRecord.size + nameLength > length)
      return complaint(chunk, at, `with a name of ${nameLength} bytes`, `long enough, not ${length} bytes`);
    const inode = bytes.readUInt32LE(at);
    if (inode > inodeCount) return complaint(chunk, at, `of inode ${inode}`, `of one up to ${inodeCount}`);
    const stored = bytes.subarray(at + EntryRecord.size, at + EntryRecord.size + nameLength);
    if (inode !== 0 && !isDots(stored)) {
      const name = shown(stored);
      if (name.length === 0 || name.includes(0) || name.includes(SLASH))
        return complaint(
          chunk,
          at,
          "with a name that none can have",
          "without a slash or a zero in it, and not empty",
        );
      const type = hasTypes ? TYPES[bytes[at + EntryRecord.fields.type.offset]! & 0xf] : undefined;
      const next = position + at + length;
      visit({ inode, name, type, position: position + at, next });
    }
    at += length;
  }
  return undefined;
}

/** The entry at `position` of the directory, where there is a sound one. */
export function entryAt(chunk: Chunk, position: number): { inode: number; name: Buffer } | undefined {
  const { bytes } = chunk;
  const at = position - chunk.position;
  if (at < 0 || at + SMALLEST_ENTRY > bytes.length) return undefined;
  const name = bytes.subarray(
    at + EntryRecord.size,
    at + EntryRecord.size + bytes[at + EntryRecord.fields.nameLength.offset]!,
  );
  return { inode: bytes.readUInt32LE(at), name };
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
 * Where a block of the hash tree has its limit and count, or undefined where it is a block of entries: the root
 * hides behind "." and a ".." that reaches to its end, a node behind one unused entry as long as the block.
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

/** The length as 64 KiB blocks have it too, in sixteen bits. Source: ext4.h, ext4_rec_len_from_disk. */
function entryLength(stored: number, blockSize: number): number {
  if (stored === 0xffff || stored === 0) return blockSize < 0x10000 ? stored : blockSize;
  return blockSize < 0x10000 ? stored : (stored & 0xfffc) | ((stored & 3) << 16);
}

function isDots(name: Buffer): boolean {
  return name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
}

function complaint(chunk: Chunk, at: number, found: string, expected: string): CorruptError {
  return new CorruptError({
    file: chunk.file,
    offset: chunk.offset + at,
    thing: "a directory entry",
    found,
    expected,
  });
}

/** Indexes (B-trees): $INDEX_ROOT and the blocks of $INDEX_ALLOCATION. Source: ntfs-3g layout.h, INDEX_*. */
import { readU16le, readU64le, struct, u16le, u32le, u64le, u8 } from "../../../bytes/struct.js";
import { CorruptError } from "../../../errors.js";

/** The start of $INDEX_ROOT; a node header follows. */
export const IndexRoot = struct("NTFS index root", 16, {
  type: u32le(0x00), // of the attribute that is indexed
  collation: u32le(0x04),
  blockSize: u32le(0x08), // bytes
});

/** The start of a block; a node header follows. */
export const IndexBlock = struct("NTFS index block", 24, {
  magic: u32le(0x00),
  vcn: u64le(0x10), // of this block
});

/** Counted from its own first byte. */
export const NodeHeader = struct("NTFS index node", 16, {
  entriesOffset: u32le(0x00),
  usedSize: u32le(0x04), // where the entries end
  allocatedSize: u32le(0x08),
  flags: u8(0x0c), // 1: its entries have children
});

export const IndexEntry = struct("NTFS index entry", 16, {
  fileLow: u32le(0x00), // of a directory: the file that has this name …
  fileHigh: u16le(0x04),
  sequence: u16le(0x06), // … and how often its record was used by then
  length: u16le(0x08), // bytes to the next entry
  keyLength: u16le(0x0a),
  flags: u16le(0x0c),
});

/** Of an index that is not a directory, in the place of the file. */
export const ViewEntry = struct("NTFS view index entry", 16, {
  dataOffset: u16le(0x00),
  dataLength: u16le(0x02),
});

export const EntryFlag = { hasChild: 1, isLast: 2 } as const;

export const BLOCK_MAGIC = 0x58444e49; // "INDX"

/** A node's entries, in bytes that have their fixups applied. */
export interface IndexNode {
  readonly bytes: Buffer;
  /** Where the entries begin and end in `bytes`. */
  readonly first: number;
  readonly end: number;
  /** For error messages: the node, and its volume. */
  readonly name: string;
  readonly file: string;
}

/** The node whose header is at `header` of `bytes`. @throws {CorruptError} if its entries are not within it. */
export function nodeAt(bytes: Buffer, header: number, file: string, name: string): IndexNode {
  const { entriesOffset, usedSize } = NodeHeader.view(bytes, header, `${file}, ${name}`);
  const first = header + entriesOffset;
  const end = header + usedSize;
  if (
    entriesOffset < NodeHeader.size ||
    entriesOffset % 8 !== 0 ||
    end > bytes.length ||
    first + IndexEntry.size > end
  ) {
    throw new CorruptError({
      file,
      thing: `the entries of ${name}`,
      found: `from ${first} to ${end}`,
      expected: `within its ${bytes.length} bytes`,
    });
  }
  return { bytes, first, end, name, file };
}

/**
 * Where the entry behind the one at `at` begins. This checks the entry at `at`, and is called before any other function for
 * it: the entry is within the node, and its key and its child's number are within the entry.
 * @throws {CorruptError} if they are not.
 */
export function nextEntry({ bytes, end, name, file }: IndexNode, at: number): number {
  const room = end - at;
  const isThere = room >= IndexEntry.size;
  const length = isThere ? readU16le(bytes, at + IndexEntry.fields.length.offset) : 0;
  const flags = isThere ? readU16le(bytes, at + IndexEntry.fields.flags.offset) : 0;
  const keyLength = isThere ? readU16le(bytes, at + IndexEntry.fields.keyLength.offset) : 0;
  const childSize = (flags & EntryFlag.hasChild) === 0 ? 0 : CHILD_SIZE;
  const keySize = (flags & EntryFlag.isLast) === 0 ? keyLength : 0;
  if (length % 8 !== 0 || length > room || IndexEntry.size + keySize + childSize > length) {
    throw new CorruptError({
      file,
      thing: `the entry at ${at} of ${name}`,
      found: `${length} bytes long, with a key of ${keyLength}`,
      expected: `a multiple of 8 that has room for its key, up to ${room}`,
    });
  }
  return at + length;
}

const CHILD_SIZE = 8;

export function isLast(node: IndexNode, at: number): boolean {
  return (readU16le(node.bytes, at + IndexEntry.fields.flags.offset) & EntryFlag.isLast) !== 0;
}

/** The VCN of the child whose keys come before that of the entry at `at`, which ends at `next`. */
export function childOf(node: IndexNode, at: number, next: number): number | undefined {
  const { bytes } = node;
  if ((readU16le(bytes, at + IndexEntry.fields.flags.offset) & EntryFlag.hasChild) === 0) return undefined;
  return readU64le(bytes, next - CHILD_SIZE);
}

/** The key of the entry at `at`. Borrowed. */
export function keyOf({ bytes }: IndexNode, at: number): Buffer {
  const start = at + IndexEntry.size;
  return bytes.subarray(start, start + readU16le(bytes, at + IndexEntry.fields.keyLength.offset));
}

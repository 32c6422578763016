/**
 * Extended attributes: in the inode behind its fields, in a block of their own, large values in inodes of their
 * own. Source: Documentation/filesystems/ext4/attributes.rst; fs/ext4/xattr.h, xattr.c.
 */
import { crc32c } from "../../bytes/checksum.js";
import { struct, u16le, u32le, u8 } from "../../bytes/struct.js";
import { read } from "../../extent/read.js";
import type { BlockSource } from "../../extent/extent.js";
import { CorruptError } from "../../errors.js";
import { aclFromDisk } from "./acl.js";
import { Incompatible } from "./features.js";
import { InodeFlag, type Inode } from "./inode.js";
import { checksumError, holdsBlocks, refuseSystemBlock, type Medium } from "./medium.js";

export const AttributeHeader = struct("extended attribute block header", 32, {
  magic: u32le(0x00),
  blockCount: u32le(0x08),
  checksum: u32le(0x10),
});

export const AttributeRecord = struct("extended attribute entry", 16, {
  nameLength: u8(0x00),
  nameIndex: u8(0x01), // which prefix the name has
  valueOffset: u16le(0x02),
  valueInode: u32le(0x04), // with ea_inode: the inode that holds the value; else 0
  valueSize: u32le(0x08), // bytes
});

const MAGIC = 0xea020000;
const MAGIC_SIZE = 4;

/**
 * e_name_index, of those that Linux shows. Source: xattr.h, EXT4_XATTR_INDEX_*; xattr.c, ext4_xattr_handler_map.
 * What is not here is the file system's own (7: inline data, 9: encryption) or never came into Linux (8: rich ACLs).
 */
const PREFIXES: Readonly<Record<number, string>> = {
  1: "user.",
  2: "system.posix_acl_access",
  3: "system.posix_acl_default",
  4: "trusted.",
  6: "security.",
  10: "gnu.",
};
const ACL_ACCESS = 2;
const ACL_DEFAULT = 3;
const SYSTEM = 7;

/** Bytes of one value that Linux accepts at most: a file with a larger one was not written by Linux. Source: XATTR_SIZE_MAX. */
const VALUE_LIMIT = 64 * 2 ** 10;
/** Bytes of all values of one file in inodes of their own: entries are small, and many could claim the same inode. */
const TOTAL_LIMIT = 16 * 2 ** 20;

export interface AttributeEntry {
  readonly nameIndex: number;
  /** Without the prefix. */
  readonly name: string;
  /** Bytes. */
  readonly valueSize: number;
  /** Borrowed; undefined if it lies in inode `valueInode`. */
  readonly value?: Buffer;
  readonly valueInode: number;
  /** Absolute byte of the entry. */
  readonly offset: number;
}

/** How values that lie in inodes of their own are read. */
export interface ValueReader {
  inode(number: number): Promise<Inode>;
  contents(inode: Inode): Promise<BlockSource>;
}

/** All extended attributes of `inode` by full name. */
export async function readAttributes(
  medium: Medium,
  inode: Inode,
  reader: ValueReader,
): Promise<Map<string, Buffer>> {
  const attributes = new Map<string, Buffer>();
  let total = 0;
  for (const entry of [...bodyEntries(medium, inode), ...(await blockEntries(medium, inode))]) {
    const prefix = PREFIXES[entry.nameIndex];
    if (prefix === undefined || isInlineData(entry)) continue;
    const name = prefix + entry.name;
    if (attributes.has(name)) continue; // the one in the inode comes first
    total += entry.valueSize;
    if (entry.valueSize > VALUE_LIMIT || total > TOTAL_LIMIT) throw tooLarge(medium, entry);
    const value = entry.value ?? (await valueOf(medium, inode, entry, reader));
    const isAcl = entry.nameIndex === ACL_ACCESS || entry.nameIndex === ACL_DEFAULT;
    const shown = isAcl ? aclFromDisk(value, medium.volume.name, entry.offset) : Buffer.from(value);
    if (shown !== undefined) attributes.set(name, shown);
  }
  return attributes;
}

/** Whether `entry` continues the inode's inline data, so that it is not an attribute. */
export function isInlineData(entry: AttributeEntry): boolean {
  return entry.nameIndex === SYSTEM && entry.name === "data";
}

/** The attributes that lie in the inode itself. */
export function bodyEntries(medium: Medium, inode: Inode): AttributeEntry[] {
  const { bytes, bodyAttributes } = inode;
  if (bodyAttributes === undefined || bodyAttributes + MAGIC_SIZE > bytes.length) return [];
  if (bytes.readUInt32LE(bodyAttributes) !== MAGIC) return [];
  const first = bodyAttributes + MAGIC_SIZE;
  return entriesOf(medium, bytes.subarray(first), 0, inode.offset + first);
}

async function blockEntries(medium: Medium, inode: Inode): Promise<AttributeEntry[]> {
  const block = inode.attributesBlock;
  if (block === 0) return [];
  const { blockSize, checksummed, seed } = medium.geometry;
  const offset = block * blockSize;
  const refuse = (thing: string, found: string | number, expected: string): never => {
    throw new CorruptError({
      file: medium.volume.name,
      offset,
      thing: `${thing} of inode ${inode.number}`,
      found,
      expected,
    });
  };
  if (!holdsBlocks(medium, block, 1)) refuse("the attribute block", block, "within the file system");
  await refuseSystemBlock(medium, block, inode.offset, `the attribute block of inode ${inode.number}`);
  const bytes = await medium.metadata.read(offset, blockSize);
  const header = AttributeHeader.view(bytes);
  if (header.magic !== MAGIC)
    refuse("the attribute block's magic", `0x${header.magic.toString(16)}`, "0xea020000");
  if (header.blockCount !== 1) refuse("the attribute block's count of blocks", header.blockCount, "1");
  const { checksum } = AttributeHeader.fields;
  if (checksummed) {
    const place = Buffer.alloc(8);
    place.writeUInt32LE(block >>> 0);
    place.writeUInt32LE(Math.floor(block / 2 ** 32), 4);
    const head = crc32c(crc32c(seed, place), bytes.subarray(0, checksum.offset));
    const rest = bytes.subarray(checksum.offset + checksum.length);
    if (crc32c(crc32c(head, Buffer.alloc(checksum.length)), rest) !== header.checksum)
      throw checksumError(medium, offset + checksum.offset, `the attribute block of inode ${inode.number}`);
  }
  return entriesOf(medium, bytes, AttributeHeader.size, offset);
}

/**
 * The entries from `first` in `bytes`, which lie at `origin`; value offsets count from the start of `bytes`.
 * @throws {CorruptError} for what Linux rejects, too. Source: fs/ext4/xattr.c, check_xattrs.
 */
function entriesOf(medium: Medium, bytes: Buffer, first: number, origin: number): AttributeEntry[] {
  const file = medium.volume.name;
  const hasValueInodes = (medium.geometry.features.incompatible & Incompatible.ea_inode) !== 0;
  const valuesStart = endOfEntries(bytes, first, file, origin);
  const entries: AttributeEntry[] = [];
  for (let at = first; bytes.readUInt32LE(at) !== 0; at = nextEntry(bytes, at)) {
    const { nameLength, nameIndex, valueOffset, valueInode, valueSize } = AttributeRecord.view(bytes, at);
    const refuse = (field: keyof typeof AttributeRecord.fields, found: string, expected: string): never => {
      const offset = origin + at + AttributeRecord.fields[field].offset;
      throw new CorruptError({ file, offset, thing: "the value of an extended attribute", found, expected });
    };
    if (valueInode !== 0 && !hasValueInodes)
      refuse("valueInode", `in inode ${valueInode}`, "beside its entry, without the feature ea_inode");
    const isHere = valueInode === 0 && valueSize > 0;
    const paddedSize = Math.ceil(valueSize / ALIGNMENT) * ALIGNMENT;
    if (isHere && (valueOffset < valuesStart || valueOffset + paddedSize > bytes.length)) {
      refuse(
        "valueOffset",
        `${valueSize} bytes at ${valueOffset}`,
        `within bytes ${valuesStart} to ${bytes.length}, behind the last entry`,
      );
    }
    entries.push({
      nameIndex,
      name: bytes.toString("latin1", at + AttributeRecord.size, at + AttributeRecord.size + nameLength),
      valueSize,
      ...(valueInode === 0 && {
        value: isHere ? bytes.subarray(valueOffset, valueOffset + valueSize) : Buffer.alloc(0),
      }),
      valueInode,
      offset: origin + at,
    });
  }
  return entries;
}

/** Where the entries end that begin at `first`: behind the four zero bytes that follow the last one. */
function endOfEntries(bytes: Buffer, first: number, file: string, origin: number): number {
  const refuse = (at: number, thing: string, found: string | number, expected: string): never => {
    throw new CorruptError({ file, offset: origin + at, thing, found, expected });
  };
  let at = first;
  while (at + END_SIZE <= bytes.length && bytes.readUInt32LE(at) !== 0) {
    const { nameLength } = AttributeRecord.view(bytes, at, file, origin);
    const next = nextEntry(bytes, at);
    const name = bytes.subarray(at + AttributeRecord.size, at + AttributeRecord.size + nameLength);
    if (next + END_SIZE > bytes.length)
      refuse(at, "the length of an extended attribute's name", nameLength, "short enough for its block");
    if (name.includes(0))
      refuse(at, "the name of an extended attribute", JSON.stringify(name.toString("latin1")), NO_ZERO);
    at = next;
  }
  if (at + END_SIZE > bytes.length)
    refuse(at, "the list of extended attributes", "without an end", "ended by four zero bytes");
  return at + END_SIZE;
}

function nextEntry(bytes: Buffer, at: number): number {
  const length = AttributeRecord.size + bytes[at + AttributeRecord.fields.nameLength.offset]!;
  return at + Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

/** Entries and values lie at multiples of this. Source: fs/ext4/xattr.h, EXT4_XATTR_PAD. */
const ALIGNMENT = 4;
/** What follows the last entry. Source: fs/ext4/xattr.h, IS_LAST_ENTRY. */
const END_SIZE = 4;
const NO_ZERO = "without a zero byte";

async function valueOf(
  medium: Medium,
  owner: Inode,
  entry: AttributeEntry,
  reader: ValueReader,
): Promise<Buffer> {
  const inode = await reader.inode(entry.valueInode);
  const { size } = inode;
  if ((inode.flags & InodeFlag.attributeValue) === 0 || size !== entry.valueSize) {
    throw new CorruptError({
      file: medium.volume.name,
      offset: inode.offset,
      thing: `inode ${inode.number}, the value of an extended attribute of inode ${owner.number},`,
      found: `${size} bytes`,
      expected: `an attribute's value of ${entry.valueSize} bytes`,
    });
  }
  const value = await read(await reader.contents(inode), 0, size);
  // The field of the access time contains the hash of the value; Lustre's inodes, which have a certain owner, have no hash.
  const isLustre =
    inode.record.modified >>> 0 === owner.number && inode.record.generation === owner.record.generation;
  if (!isLustre && crc32c(medium.geometry.seed, value) !== inode.record.accessed >>> 0)
    throw checksumError(medium, inode.offset, `the attribute value in inode ${inode.number}`);
  return value;
}

function tooLarge(medium: Medium, entry: AttributeEntry): CorruptError {
  return new CorruptError({
    file: medium.volume.name,
    offset: entry.offset + AttributeRecord.fields.valueSize.offset,
    thing: "the size of an extended attribute",
    found: `${entry.valueSize} bytes`,
    expected: `at most ${VALUE_LIMIT}, and ${TOTAL_LIMIT} for one file`,
  });
}

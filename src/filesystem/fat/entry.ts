/** A directory's slots: a file, a part of a long name, a label. Source: Microsoft FAT specification (2005), section 6. */
import { span, struct, u16le, u32le, u8, type ViewOf } from "../../bytes/struct.js";
import { SLOT_SIZE } from "../fat-common/directory.js";

export const EntryRecord = struct("FAT directory entry", SLOT_SIZE, {
  name: span(0x00, 11),
  attributes: u8(0x0b),
  caseFlags: u8(0x0c), // DIR_NTRes
  createdTens: u8(0x0d), // 10 ms, 0 to 199
  createdTime: u16le(0x0e),
  createdDate: u16le(0x10),
  accessedDate: u16le(0x12),
  firstClusterHigh: u16le(0x14), // FAT32; OS/2 kept extended attributes here
  writtenTime: u16le(0x16),
  writtenDate: u16le(0x18),
  firstClusterLow: u16le(0x1a),
  size: u32le(0x1c),
});
export type EntryRecord = ViewOf<typeof EntryRecord>;

/** Thirteen units of a long name. Source: section 7. */
export const LongNameRecord = struct("FAT long name entry", SLOT_SIZE, {
  order: u8(0x00),
  name1: span(0x01, 10),
  attributes: u8(0x0b),
  checksum: u8(0x0d),
  name2: span(0x0e, 12),
  name3: span(0x1c, 4),
});

export const Attribute = {
  readOnly: 0x01,
  hidden: 0x02,
  system: 0x04,
  label: 0x08,
  directory: 0x10,
} as const;

/** DIR_NTRes: show the base name, or the extension, in lower case. Source: Linux, fs/fat/fat.h, CASE_LOWER_BASE. */
export const Case = { lowerBase: 0x08, lowerExtension: 0x10 } as const;

/** First bytes of a slot that have a special meaning. */
export const First = { end: 0x00, e5: 0x05, deleted: 0xe5 } as const;

const LONG_NAME = 0x0f;
const LONG_NAME_MASK = 0x3f;

/** The kind of a slot. `name`: a part of a long name. `file`: a file or a directory. */
export type SlotKind = "end" | "deleted" | "name" | "label" | "dots" | "file";

export function slotKind(bytes: Buffer, at: number): SlotKind {
  const first = bytes[at]!;
  if (first === First.end) return "end";
  if (first === First.deleted) return "deleted";
  const attributes = bytes[at + EntryRecord.fields.attributes.offset]!;
  if ((attributes & LONG_NAME_MASK) === LONG_NAME) return "name";
  if ((attributes & Attribute.label) !== 0) return "label";
  if (first === DOT && isDots(bytes, at)) return "dots";
  return "file";
}

const DOT = 0x2e;

function isDots(bytes: Buffer, at: number): boolean {
  const name = bytes.toString("latin1", at, at + NAME_SIZE);
  return name === ".          " || name === "..         ";
}

export const NAME_SIZE = 11;

/** $ATTRIBUTE_LIST: the records in which the attributes of a file lie, if it has too many for one record. Source: ntfs-3g layout.h. */
import { struct, u16le, u32le, u64le, u8 } from "../../../bytes/struct.js";
import { CorruptError } from "../../../errors.js";

export const ListEntry = struct("NTFS attribute list entry", 26, {
  type: u32le(0x00),
  length: u16le(0x04), // bytes to the next entry
  nameLength: u8(0x06), // characters
  nameOffset: u8(0x07),
  firstVcn: u64le(0x08),
  recordLow: u32le(0x10),
  recordHigh: u16le(0x14),
  sequence: u16le(0x16),
  instance: u16le(0x18),
});

/** Bytes of a list at most, as in Windows. Source: ntfs-3g attrib.c, "Corrupt attribute list". */
export const LIST_SIZE_LIMIT = 256 * 2 ** 10;

/** A part of an attribute, and the record that it lies in. */
export interface ListedAttribute {
  readonly type: number;
  readonly name: string;
  readonly firstVcn: number;
  readonly recordNumber: number;
  readonly sequence: number;
  readonly instance: number;
}

export interface AttributeList {
  readonly entries: readonly ListedAttribute[];
  /** The error behind the last of them, if the list is damaged. */
  readonly damage?: CorruptError;
}

/** The entries in `bytes`, the list of the file at record `number`, which lies at `offset` of `file`. */
export function parseAttributeList(
  bytes: Buffer,
  number: number,
  offset: number,
  file: string,
): AttributeList {
  const entries: ListedAttribute[] = [];
  for (let at = 0; at + ListEntry.size <= bytes.length;) {
    const entry = ListEntry.view(bytes, at);
    const { type, length, nameLength, nameOffset } = entry;
    if (type === 0 || type === 0xffffffff) break;
    const end = nameLength === 0 ? ListEntry.size : nameOffset + 2 * nameLength;
    if (length < end || at + length > bytes.length || length % 8 !== 0) {
      const damage = new CorruptError({
        file,
        offset,
        thing: `entry at ${at} of $ATTRIBUTE_LIST of file record ${number}`,
        found: `${length} bytes long`,
        expected: `from ${end} to ${bytes.length - at}, and a multiple of 8`,
      });
      return { entries, damage };
    }
    entries.push({
      type,
      name: bytes.toString("utf16le", at + nameOffset, at + nameOffset + 2 * nameLength),
      firstVcn: entry.firstVcn,
      recordNumber: entry.recordLow + entry.recordHigh * 2 ** 32,
      sequence: entry.sequence,
      instance: entry.instance,
    });
    at += length;
  }
  return { entries };
}

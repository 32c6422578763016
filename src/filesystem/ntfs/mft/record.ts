/** Decodes a record of the MFT: its header and attributes. Source: ntfs-3g layout.h, MFT_RECORD. */
import { struct, u16le, u32le } from "../../../bytes/struct.js";
import { CorruptError } from "../../../errors.js";
import { AttributeHeader, type AttributeRecord, type FileRecord } from "./attribute.js";

export const RecordHeader = struct("NTFS file record", 48, {
  magic: u32le(0x00),
  sequence: u16le(0x10), // counted up when the record is used for another file; never 0
  linkCount: u16le(0x12),
  attributesOffset: u16le(0x14),
  flags: u16le(0x16),
  usedSize: u32le(0x18), // bytes
  allocatedSize: u32le(0x1c), // bytes
  baseLow: u32le(0x20), // of an extension: the record that it extends
  baseHigh: u16le(0x24),
  baseSequence: u16le(0x26),
});

export const RECORD_MAGIC = 0x454c4946; // "FILE"
const TORN_MAGIC = 0x44414142; // "BAAD": the guest's driver found its update sequence wrong

export const RecordFlag = { inUse: 1, directory: 2 } as const;

/** Ends the attributes. */
export const END_OF_ATTRIBUTES = 0xffffffff;

/**
 * Record `number` in `bytes`, whose fixups are applied, and which lie at `offset` of `file`.
 * @throws {CorruptError} if it is not a file record, or is not in use.
 */
export function parseRecord(bytes: Buffer, number: number, offset: number, file: string): FileRecord {
  const header = RecordHeader.view(bytes);
  const refuse = (
    key: keyof typeof header,
    thing: string,
    found: string | number,
    expected: string,
  ): never => {
    const at = offset + RecordHeader.fields[key].offset;
    throw new CorruptError({ file, offset: at, thing: `${thing} of file record ${number}`, found, expected });
  };
  const { magic, flags, usedSize, attributesOffset } = header;
  if (magic !== RECORD_MAGIC) {
    const found = magic === TORN_MAGIC ? '"BAAD": the guest marked it as torn' : `0x${magic.toString(16)}`;
    refuse("magic", "the magic", found, '"FILE"');
  }
  if ((flags & RecordFlag.inUse) === 0)
    refuse("flags", "the flags", flags, "the in-use flag; this record is deleted");
  if (usedSize > bytes.length || usedSize < RecordHeader.size)
    refuse("usedSize", "the used size", usedSize, `from ${RecordHeader.size} to ${bytes.length}`);
  if (attributesOffset % 8 !== 0 || attributesOffset < SMALLEST_HEADER || attributesOffset > usedSize)
    refuse(
      "attributesOffset",
      "the place of the attributes",
      attributesOffset,
      `a multiple of 8 up to ${usedSize}`,
    );
  const attributes: AttributeRecord[] = [];
  const record: { -readonly [K in keyof FileRecord]: FileRecord[K] } = {
    number,
    offset,
    bytes,
    sequence: header.sequence,
    linkCount: header.linkCount,
    isDirectory: (flags & RecordFlag.directory) !== 0,
    baseNumber: header.baseLow + header.baseHigh * 2 ** 32,
    baseSequence: header.baseSequence,
    attributes,
  };
  const damage = readAttributes(record, attributes, attributesOffset, usedSize, file);
  if (damage !== undefined) record.damage = damage;
  return record;
}

/** The header as NTFS 3.0 has it, which ends before the update sequence. */
const SMALLEST_HEADER = 0x28;

/** Collects the attributes of `record` up to its end, or to the first that is damaged. */
function readAttributes(
  record: FileRecord,
  into: AttributeRecord[],
  first: number,
  usedSize: number,
  file: string,
): CorruptError | undefined {
  const { bytes, number, offset } = record;
  const { fields } = AttributeHeader;
  for (let at = first; ;) {
    if (at + 4 > usedSize) {
      const found = "nothing at the used size";
      return complaint(file, offset + at, number, found, "the end marker");
    }
    const type = bytes.readUInt32LE(at);
    if (type === END_OF_ATTRIBUTES) return undefined;
    const length = at + AttributeHeader.size <= usedSize ? bytes.readUInt32LE(at + fields.length.offset) : 0;
    if (length < SMALLEST_ATTRIBUTE || length % 8 !== 0 || at + length > usedSize) {
      const expected = `a multiple of 8 from ${SMALLEST_ATTRIBUTE} up to ${usedSize - at}`;
      return complaint(file, offset + at, number, `${length} bytes long`, expected);
    }
    const isResident = bytes[at + fields.nonResident.offset] === 0;
    const nameLength = bytes[at + fields.nameLength.offset]! * 2;
    const nameOffset = bytes.readUInt16LE(at + fields.nameOffset.offset);
    if (nameLength > 0 && nameOffset + nameLength > length)
      return complaint(
        file,
        offset + at,
        number,
        `a name at ${nameOffset} of it`,
        `within its ${length} bytes`,
      );
    const name =
      nameLength === 0 ? "" : bytes.toString("utf16le", at + nameOffset, at + nameOffset + nameLength);
    const flags = bytes.readUInt16LE(at + fields.flags.offset);
    const instance = bytes.readUInt16LE(at + fields.instance.offset);
    into.push({ record, type, name, at, length, isResident, flags, instance });
    at += length;
  }
}

/** A resident attribute's header. */
const SMALLEST_ATTRIBUTE = 24;

function complaint(
  file: string,
  offset: number,
  number: number,
  found: string,
  expected: string,
): CorruptError {
  return new CorruptError({ file, offset, thing: `an attribute of file record ${number}`, found, expected });
}

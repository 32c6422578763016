/** Attributes of file records: their headers, and values that lie in the record. Source: ntfs-3g layout.h, ATTR_RECORD. */
import { readU64le, struct, u16le, u32le, u64le, u8 } from "../../../bytes/struct.js";
import { CorruptError } from "../../../errors.js";

export const AttributeHeader = struct("NTFS attribute header", 16, {
  type: u32le(0x00),
  length: u32le(0x04), // bytes to the next attribute
  nonResident: u8(0x08),
  nameLength: u8(0x09), // characters
  nameOffset: u16le(0x0a),
  flags: u16le(0x0c),
  instance: u16le(0x0e), // its own number within the record
});

export const ResidentHeader = struct("NTFS resident attribute", 24, {
  valueLength: u32le(0x10),
  valueOffset: u16le(0x14),
});

export const NonResidentHeader = struct("NTFS non-resident attribute", 64, {
  firstVcn: u64le(0x10),
  lastVcn: u64le(0x18), // 2^64 - 1 if it has no clusters
  runsOffset: u16le(0x20),
  unitPower: u8(0x22), // clusters of a compression unit, as a power of two; 0: not compressed
  allocatedSize: u64le(0x28), // bytes of the whole attribute; this and the next fields are in its first part only
  dataSize: u64le(0x30),
  validSize: u64le(0x38), // bytes behind it were never written, and are zeros
});

/** Present only if the attribute is compressed or sparse. */
export const PackedSize = struct("NTFS packed size", 72, { packedSize: u64le(0x40) });

export const Type = {
  standardInformation: 0x10,
  attributeList: 0x20,
  fileName: 0x30,
  objectId: 0x40,
  securityDescriptor: 0x50,
  volumeName: 0x60,
  volumeInformation: 0x70,
  data: 0x80,
  indexRoot: 0x90,
  indexAllocation: 0xa0,
  bitmap: 0xb0,
  reparsePoint: 0xc0,
  extendedAttributes: 0xe0,
  loggedStream: 0x100,
} as const;

export const AttributeFlag = { compression: 0x00ff, encrypted: 0x4000, sparse: 0x8000 } as const;

/** A record of the MFT; record.ts reads it. */
export interface FileRecord {
  readonly number: number;
  /** Absolute byte of its first byte: for error messages. */
  readonly offset: number;
  /** With its fixups applied. Borrowed, like all parts of it. */
  readonly bytes: Buffer;
  readonly sequence: number;
  readonly linkCount: number;
  readonly isDirectory: boolean;
  /** The record that this one extends; 0 if it is a base record. */
  readonly baseNumber: number;
  readonly baseSequence: number;
  readonly attributes: readonly AttributeRecord[];
  /** The error behind the last of `attributes`, if the record is damaged. */
  readonly damage?: CorruptError;
}

/** One attribute, or a part of one, in its record. */
export interface AttributeRecord {
  readonly record: FileRecord;
  readonly type: number;
  /** As UTF-16, which may have lone surrogates; "" if it has none. */
  readonly name: string;
  /** Where it begins in the record. */
  readonly at: number;
  /** Bytes. */
  readonly length: number;
  readonly isResident: boolean;
  readonly flags: number;
  readonly instance: number;
}

/** A non-resident attribute's sizes and places. */
export interface NonResident {
  readonly firstVcn: number;
  /** Where its clusters end: the VCN behind its last. */
  readonly endVcn: number;
  readonly runsOffset: number;
  readonly unitPower: number;
  readonly allocatedSize: number;
  readonly dataSize: number;
  readonly validSize: number;
  /** Bytes of the clusters that are stored. */
  readonly storedSize: number;
}

/** @throws {CorruptError} if the value of a resident attribute is not within it. Borrowed. */
export function residentValue(attribute: AttributeRecord, file: string): Buffer {
  const { record, at, length } = attribute;
  const valueLength = record.bytes.readUInt32LE(at + ResidentHeader.fields.valueLength.offset);
  const valueOffset = record.bytes.readUInt16LE(at + ResidentHeader.fields.valueOffset.offset);
  if (valueOffset + valueLength > length || (valueLength > 0 && valueOffset < ResidentHeader.size)) {
    const found = `${valueLength} bytes at ${valueOffset}`;
    throw attributeError(attribute, file, "the value", found, `within its ${length} bytes`);
  }
  return record.bytes.subarray(at + valueOffset, at + valueOffset + valueLength);
}

/** @throws {CorruptError} if the header of a non-resident attribute is invalid. */
export function nonResident(attribute: AttributeRecord, file: string): NonResident {
  const { record, at, length, flags } = attribute;
  const header = NonResidentHeader.view(record.bytes, at, file, record.offset);
  const isPacked = (flags & (AttributeFlag.compression | AttributeFlag.sparse)) !== 0;
  const { firstVcn, lastVcn, runsOffset, allocatedSize, dataSize, validSize } = header;
  if (runsOffset < NonResidentHeader.size || runsOffset >= length)
    throw attributeError(attribute, file, "the place of the runs", runsOffset, `from 64 to ${length - 1}`);
  const isEmpty = lastVcn >= 2 ** 63;
  if (!isEmpty && (!Number.isSafeInteger(lastVcn) || lastVcn + 1 < firstVcn))
    throw attributeError(attribute, file, "the last cluster", lastVcn, `at least the first, ${firstVcn}`);
  const isFirst = firstVcn === 0;
  if (isFirst && !Number.isSafeInteger(dataSize))
    throw attributeError(attribute, file, "the size", dataSize, "less than 2^53 bytes");
  const hasPackedSize = isFirst && isPacked && length >= PackedSize.size && runsOffset >= PackedSize.size;
  return {
    firstVcn,
    endVcn: isEmpty ? firstVcn : lastVcn + 1,
    runsOffset,
    unitPower: header.unitPower,
    allocatedSize,
    dataSize,
    validSize: Math.min(validSize, dataSize),
    storedSize: hasPackedSize
      ? readU64le(record.bytes, at + PackedSize.fields.packedSize.offset)
      : allocatedSize,
  };
}

/** The error for `attribute`. */
export function attributeError(
  { record, at, type, name }: AttributeRecord,
  file: string,
  thing: string,
  found: string | number,
  expected: string,
): CorruptError {
  return new CorruptError({
    file,
    offset: record.offset + at,
    thing: `${thing} of ${describeAttribute(type, name)} of file record ${record.number}`,
    found,
    expected,
  });
}

/** The name of an attribute in error messages: `$DATA`, `$DATA "name"`. */
export function describeAttribute(type: number, name: string): string {
  const word = NAMES[type] ?? `attribute 0x${type.toString(16)}`;
  return name === "" ? word : `${word} "${name}"`;
}

const NAMES: Readonly<Record<number, string>> = {
  [Type.standardInformation]: "$STANDARD_INFORMATION",
  [Type.attributeList]: "$ATTRIBUTE_LIST",
  [Type.fileName]: "$FILE_NAME",
  [Type.objectId]: "$OBJECT_ID",
  [Type.securityDescriptor]: "$SECURITY_DESCRIPTOR",
  [Type.volumeName]: "$VOLUME_NAME",
  [Type.volumeInformation]: "$VOLUME_INFORMATION",
  [Type.data]: "$DATA",
  [Type.indexRoot]: "$INDEX_ROOT",
  [Type.indexAllocation]: "$INDEX_ALLOCATION",
  [Type.bitmap]: "$BITMAP",
  [Type.reparsePoint]: "$REPARSE_POINT",
  [Type.extendedAttributes]: "$EA",
  [Type.loggedStream]: "$LOGGED_UTILITY_STREAM",
};

/** $STANDARD_INFORMATION: a file's times and flags. Source: ntfs-3g layout.h, STANDARD_INFORMATION. */
import { struct, u32le } from "../../../bytes/struct.js";
import { CorruptError } from "../../../errors.js";
import { residentValue, Type, type FileRecord } from "../mft/attribute.js";

/** The fields of NTFS 1.2; times are FILETIMEs, their lower halves first. */
export const StandardInformation = struct("NTFS standard information", 48, {
  createdLow: u32le(0x00),
  createdHigh: u32le(0x04),
  modifiedLow: u32le(0x08),
  modifiedHigh: u32le(0x0c),
  changedLow: u32le(0x10), // the record itself
  changedHigh: u32le(0x14),
  accessedLow: u32le(0x18),
  accessedHigh: u32le(0x1c),
  flags: u32le(0x20),
});

/** The fields that NTFS 3.0 added. */
export const StandardInformation3 = struct("NTFS 3 standard information", 72, { securityId: u32le(0x34) });

/** Those of FILE_ATTRIBUTE_* that are used. Source: [MS-FSCC] 2.6. */
export const FileFlag = {
  readOnly: 0x1,
  hidden: 0x2,
  system: 0x4,
  directory: 0x10,
  normal: 0x80,
  reparsePoint: 0x400,
} as const;

/** The standard information of the file whose base record is `record`: its bytes. @throws {CorruptError} if it has none. */
export function standardInformation(record: FileRecord, file: string): Buffer {
  const attribute = record.attributes.find(({ type }) => type === Type.standardInformation);
  const value = attribute?.isResident === true ? residentValue(attribute, file) : undefined;
  if (value !== undefined && value.length >= StandardInformation.size) return value;
  throw (
    record.damage ??
    new CorruptError({
      file,
      offset: record.offset,
      thing: `$STANDARD_INFORMATION of file record ${record.number}`,
      found: value === undefined ? "not there" : `${value.length} bytes long`,
      expected: `at least ${StandardInformation.size} bytes`,
    })
  );
}

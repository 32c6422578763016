/** The slots of a directory, of which several make a file. Source: Microsoft exFAT specification (2019), sections 6, 7. */
import { guid, span, struct, u16le, u32le, u64le, u8, type ViewOf } from "../../bytes/struct.js";
import { SLOT_SIZE } from "../fat-common/directory.js";

/** EntryType. Slots without the bit InUse are deleted. */
export const EntryType = {
  end: 0x00,
  bitmap: 0x81,
  upCase: 0x82,
  label: 0x83,
  file: 0x85,
  guid: 0xa0,
  stream: 0xc0,
  name: 0xc1,
} as const;

const IN_USE = 0x80;
const SECONDARY = 0x40;

export const isInUse = (type: number): boolean => (type & IN_USE) !== 0;
export const isSecondary = (type: number): boolean => (type & SECONDARY) !== 0;

/** Section 7.4: the first slot of a file or a directory. */
export const FileRecord = struct("exFAT file entry", SLOT_SIZE, {
  type: u8(0),
  secondaryCount: u8(1),
  checksum: u16le(2),
  attributes: u16le(4),
  createdTime: u16le(8),
  createdDate: u16le(10),
  modifiedTime: u16le(12),
  modifiedDate: u16le(14),
  accessedTime: u16le(16),
  accessedDate: u16le(18),
  createdTens: u8(20), // 10 ms, 0 to 199
  modifiedTens: u8(21),
  createdZone: u8(22), // UtcOffset
  modifiedZone: u8(23),
  accessedZone: u8(24),
});
export type FileRecord = ViewOf<typeof FileRecord>;

/** Section 7.6: the second slot, which tells where the contents are. */
export const StreamRecord = struct("exFAT stream extension", SLOT_SIZE, {
  type: u8(0),
  flags: u8(1), // GeneralSecondaryFlags
  nameLength: u8(3), // UTF-16 units
  validSize: u64le(8), // ValidDataLength
  firstCluster: u32le(20),
  size: u64le(24), // DataLength
});
export type StreamRecord = ViewOf<typeof StreamRecord>;

/** Section 7.7: fifteen units of the name. */
export const NameRecord = struct("exFAT file name", SLOT_SIZE, {
  type: u8(0),
  units: span(2, 30),
});

/** Sections 7.1, 7.2: where the allocation bitmap and the up-case table are. */
export const TableRecord = struct("exFAT bitmap or up-case table", SLOT_SIZE, {
  type: u8(0),
  flags: u8(1), // BitmapFlags: bit 0 is set for the second FAT's bitmap
  checksum: u32le(4), // of the up-case table
  firstCluster: u32le(20),
  size: u64le(24),
});
export type TableRecord = ViewOf<typeof TableRecord>;

/** Section 7.3. */
export const LabelRecord = struct("exFAT volume label", SLOT_SIZE, {
  type: u8(0),
  length: u8(1), // UTF-16 units
  units: span(2, 22),
});

/** Section 7.5. */
export const GuidRecord = struct("exFAT volume GUID", SLOT_SIZE, {
  type: u8(0),
  guid: guid(6),
});

/** Section 6.4.2: the clusters are consecutive, and have no links. */
export const NO_FAT_CHAIN = 0x02;

/** Section 7.4.4: the same values as in FAT. */
export const Attribute = { readOnly: 0x01, directory: 0x10 } as const;

/** Section 7.4.2: a stream extension and 1 to 17 parts of the name; section 7.7: units of a part. */
export const SECONDARIES = { least: 2, most: 18 } as const;
export const NAME_UNITS = 15;

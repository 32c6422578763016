/**
 * Floppies of DOS 1, whose boot sectors have no parameter block: the FAT's first byte tells which of four formats
 * it is. Source: Linux, fs/fat/inode.c, floppy_defaults; Microsoft FAT specification (2005), section 4.2 (FAT[0]).
 */
import { BOOT_SECTOR_SIZE, BootSector } from "./boot.js";

interface Format {
  readonly media: number;
  readonly sectors: number;
  readonly sectorsPerCluster: number;
  readonly rootEntries: number;
  readonly fatSectors: number;
}

const FORMATS: readonly Format[] = [
  { media: 0xfe, sectors: 320, sectorsPerCluster: 1, rootEntries: 64, fatSectors: 1 }, // 160 KiB
  { media: 0xfc, sectors: 360, sectorsPerCluster: 1, rootEntries: 64, fatSectors: 2 }, // 180 KiB
  { media: 0xff, sectors: 640, sectorsPerCluster: 2, rootEntries: 112, fatSectors: 1 }, // 320 KiB
  { media: 0xfd, sectors: 720, sectorsPerCluster: 2, rootEntries: 112, fatSectors: 2 }, // 360 KiB
];

/** `sector` with the parameter block that a floppy of `size` bytes with this FAT would have. */
export function floppyBlock(sector: Buffer, size: number, fat: Buffer): Buffer | undefined {
  const format = FORMATS.find(
    ({ media, sectors }) => sectors * BOOT_SECTOR_SIZE === size && media === fat[0],
  );
  if (format === undefined || fat[1] !== 0xff || fat[2] !== 0xff) return undefined;
  const bytes = Buffer.from(sector);
  const { fields } = BootSector;
  // The code that is here may look like an extension with a label.
  bytes.fill(0, fields.bytesPerSector.offset, EXTENSION_END);
  bytes.writeUInt16LE(BOOT_SECTOR_SIZE, fields.bytesPerSector.offset);
  bytes.writeUInt8(format.sectorsPerCluster, fields.sectorsPerCluster.offset);
  bytes.writeUInt16LE(1, fields.reservedSectors.offset);
  bytes.writeUInt8(2, fields.fatCount.offset);
  bytes.writeUInt16LE(format.rootEntries, fields.rootEntryCount.offset);
  bytes.writeUInt16LE(format.sectors, fields.totalSectors16.offset);
  bytes.writeUInt8(format.media, fields.media.offset);
  bytes.writeUInt16LE(format.fatSectors, fields.fatSectors16.offset);
  return bytes;
}

/** Where the code begins behind FAT16's block. */
const EXTENSION_END = 0x3e;

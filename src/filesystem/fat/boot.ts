/**
 * The boot sector's parameter block, and the geometry that it describes. Source: Microsoft FAT specification (2005), section 3;
 * Microsoft's fatgen103 (2000) for the fields that the former calls reserved.
 */
import { span, struct, u16le, u32le, u8, type ViewOf } from "../../bytes/struct.js";
import { CorruptError } from "../../errors.js";

export const BOOT_SECTOR_SIZE = 512;

/** The fields that every FAT has. Little-endian. */
export const BootSector = struct("FAT boot sector", BOOT_SECTOR_SIZE, {
  jump: span(0x00, 3),
  bytesPerSector: u16le(0x0b),
  sectorsPerCluster: u8(0x0d),
  reservedSectors: u16le(0x0e),
  fatCount: u8(0x10),
  rootEntryCount: u16le(0x11),
  totalSectors16: u16le(0x13),
  media: u8(0x15),
  fatSectors16: u16le(0x16),
  totalSectors32: u32le(0x20),
  signature: u16le(0x1fe),
});
export type BootSector = ViewOf<typeof BootSector>;

/** Further fields of FAT12 and FAT16. */
export const BootSector16 = struct("FAT16 boot sector", BOOT_SECTOR_SIZE, {
  state: u8(0x25), // BS_Reserved1: Windows NT and Linux keep their flags here
  extension: u8(0x26), // BS_BootSig
  serial: u32le(0x27),
  label: span(0x2b, 11),
  kind: span(0x36, 8),
});

/** Further fields of FAT32. */
export const BootSector32 = struct("FAT32 boot sector", BOOT_SECTOR_SIZE, {
  fatSectors32: u32le(0x24),
  flags: u16le(0x28), // BPB_ExtFlags
  version: u16le(0x2a),
  rootCluster: u32le(0x2c),
  infoSector: u16le(0x30),
  backupSector: u16le(0x32),
  state: u8(0x41),
  extension: u8(0x42),
  serial: u32le(0x43),
  label: span(0x47, 11),
  kind: span(0x52, 8),
});
export type BootSector32 = ViewOf<typeof BootSector32>;

export type FatWidth = 12 | 16 | 32;

export interface Geometry {
  readonly width: FatWidth;
  /** Bytes. */
  readonly sectorSize: number;
  readonly clusterSize: number;
  readonly clusterCount: number;
  /** Byte of the volume at which cluster 2 begins. */
  readonly heapOffset: number;
  /** Where the FATs begin; the first of these is used. */
  readonly fatOffsets: readonly number[];
  /** Bytes of one FAT. */
  readonly fatSize: number;
  /** The first cluster of the root directory (FAT32), or its range on the volume. */
  readonly root: { readonly cluster: number } | { readonly offset: number; readonly size: number };
  /** Bytes of the file system, as the boot sector states them. */
  readonly size: number;
  readonly warnings: readonly string[];
}

/** Source: Microsoft FAT specification (2005), section 3.5: the least number of clusters of a FAT16, and of a FAT32. */
const FAT16_FROM = 4085;
const FAT32_FROM = 65_525;
/** The most clusters that links of 28 bits can number: 0x0ffffff7 and above are marks. */
const CLUSTER_LIMIT = 0x0fff_fff5;

const ENTRY_SIZE = 32;
const SECTOR_SIZES = [512, 1024, 2048, 4096];
/** BPB_ExtFlags: only one FAT is written to, the one whose number is in the lower four bits. */
const ONE_FAT = 0x80;
const FAT_NUMBER = 0x0f;

/** The first field that no FAT's parameter block can have; `undefined` if `bytes` are plausible. */
export function implausible(bytes: Buffer): keyof BootSector | undefined {
  const boot = BootSector.view(bytes);
  if (!SECTOR_SIZES.includes(boot.bytesPerSector)) return "bytesPerSector";
  const { sectorsPerCluster } = boot;
  if (sectorsPerCluster === 0 || (sectorsPerCluster & (sectorsPerCluster - 1)) !== 0)
    return "sectorsPerCluster";
  if (boot.reservedSectors === 0) return "reservedSectors";
  if (boot.fatCount === 0) return "fatCount";
  if (boot.totalSectors16 === 0 && boot.totalSectors32 === 0) return "totalSectors32";
  if (boot.fatSectors16 === 0 && BootSector32.view(bytes).fatSectors32 === 0) return "fatSectors16";
  if (boot.fatSectors16 !== 0 && boot.rootEntryCount === 0) return "rootEntryCount";
  return undefined;
}

/**
 * The geometry that the parameter block in `bytes` describes; it is plausible.
 * @param offset byte of the volume at which `bytes` begin, for error messages.
 * @throws {CorruptError} if its fields contradict each other.
 */
export function geometryOf(bytes: Buffer, file: string, offset: number): Geometry {
  const boot = BootSector.view(bytes);
  const wide = BootSector32.view(bytes);
  const warnings: string[] = [];
  const sectorSize = boot.bytesPerSector;
  const isWide = boot.fatSectors16 === 0; // no FAT32 has a 16-bit length, whatever its number of clusters
  const fatSectors = boot.fatSectors16 || wide.fatSectors32;
  const totalSectors = boot.totalSectors16 || boot.totalSectors32;
  const rootSectors = Math.ceil((boot.rootEntryCount * ENTRY_SIZE) / sectorSize);
  const rootSector = boot.reservedSectors + boot.fatCount * fatSectors;
  const dataSectors = totalSectors - rootSector - rootSectors;
  let clusterCount = Math.floor(dataSectors / boot.sectorsPerCluster);
  const wrong = (
    field: keyof BootSector | keyof BootSector32,
    found: number,
    expected: string,
  ): CorruptError => {
    const at = { ...BootSector.fields, ...BootSector32.fields }[field].offset;
    return new CorruptError({ file, offset: offset + at, thing: `the FAT's ${field}`, found, expected });
  };
  const largest = isWide ? CLUSTER_LIMIT : FAT32_FROM - 1;
  if (clusterCount < 1 || clusterCount > largest) {
    const expected = `such as to leave 1 to ${largest} clusters of ${boot.sectorsPerCluster} sectors`;
    throw wrong(boot.totalSectors16 > 0 ? "totalSectors16" : "totalSectors32", totalSectors, expected);
  }
  const width = isWide ? 32 : clusterCount < FAT16_FROM ? 12 : 16;
  const fatSize = fatSectors * sectorSize;
  const linked = Math.floor((fatSize * 8) / width) - 2;
  if (linked < 1) throw wrong(isWide ? "fatSectors32" : "fatSectors16", fatSectors, "enough for a cluster");
  if (linked < clusterCount) {
    warnings.push(`the FAT has entries for only ${linked} of the ${clusterCount} clusters`);
    clusterCount = linked;
  }
  if (isWide && (wide.rootCluster < 2 || wide.rootCluster >= clusterCount + 2))
    throw wrong("rootCluster", wide.rootCluster, `from 2 to ${clusterCount + 1}`);
  const fatOffsets = Array.from(
    { length: boot.fatCount },
    (_, index) => (boot.reservedSectors + index * fatSectors) * sectorSize,
  );
  if (isWide && (wide.flags & ONE_FAT) !== 0) {
    const active = wide.flags & FAT_NUMBER;
    if (active < boot.fatCount) fatOffsets.splice(0, fatOffsets.length, fatOffsets[active]!);
    else
      warnings.push(
        `the boot sector names FAT ${active} as the one in use, but there are only ${boot.fatCount}`,
      );
  }
  if (isWide && wide.version !== 0) {
    warnings.push(`the version of this FAT32 is ${wide.version >>> 8}.${wide.version & 0xff}, not 0.0`);
  }
  return {
    width,
    sectorSize,
    clusterSize: boot.sectorsPerCluster * sectorSize,
    clusterCount,
    heapOffset: (rootSector + rootSectors) * sectorSize,
    fatOffsets,
    fatSize,
    root: isWide
      ? { cluster: wide.rootCluster }
      : { offset: rootSector * sectorSize, size: boot.rootEntryCount * ENTRY_SIZE },
    size: totalSectors * sectorSize,
    warnings,
  };
}

/** The boot sector, from which the places of everything else follow. Source: ntfs-3g layout.h, NTFS_BOOT_SECTOR. */
import { span, struct, text, u16le, u64le, u8, type ViewOf } from "../../bytes/struct.js";
import { CorruptError } from "../../errors.js";

export const BootSector = struct("NTFS boot sector", 512, {
  oemId: text(0x03, 8),
  sectorSize: u16le(0x0b),
  clusterSectors: u8(0x0d), // sectors; over 0x80, 2^(256 - it)
  sectorCount: u64le(0x28), // without the backup of this sector, which lies behind the last
  mftCluster: u64le(0x30),
  mirrorCluster: u64le(0x38),
  recordSize: u8(0x40), // clusters; as a negative number -n, 2^n bytes
  indexBlockSize: u8(0x44), // the same
  serial: span(0x48, 8),
  endMark: u16le(0x1fe),
});
export type BootSector = ViewOf<typeof BootSector>;

/** Sizes of sectors: Windows makes 512 and 4096, and ntfs-3g reads 256, too. */
const SECTOR_SIZES = [256, 512, 1024, 2048, 4096];

/** Windows 10 (1709) formats with up to 2 MiB. Source: Microsoft, "NTFS overview", table of cluster sizes. */
const CLUSTER_SIZE_LIMIT = 2 * 2 ** 20;
const SMALLEST_CLUSTER = 512;

/** Fixups protect stretches of 512 bytes, so nothing is smaller; Windows never made anything larger than this. */
const SMALLEST_RECORD = 512;
const RECORD_SIZE_LIMIT = 64 * 2 ** 10;

/** File references have 48 bits for a record, but cluster numbers of Windows' own driver are 32 bits wide, or less. */
const CLUSTER_COUNT_LIMIT = 2 ** 48;

export interface Geometry {
  /** Bytes, as all sizes here. */
  readonly sectorSize: number;
  readonly clusterSize: number;
  readonly clusterCount: number;
  readonly recordSize: number;
  /** Of the volume, according to the boot sector. */
  readonly size: number;
  /** Where the MFT and the copy of its first records begin. */
  readonly mftOffset: number;
  readonly mirrorOffset: number;
  /** As Windows and blkid print it. */
  readonly serial: string;
}

/** @throws {CorruptError} with the first invalid field of the boot sector, which lies at `origin` of `file`. */
export function geometryOf(boot: BootSector, file: string, origin: number): Geometry {
  const refuse = (key: keyof BootSector, thing: string, found: number, expected: string): never => {
    const offset = origin + BootSector.fields[key].offset;
    throw new CorruptError({ file, offset, thing, found, expected });
  };
  const { sectorSize } = boot;
  if (!SECTOR_SIZES.includes(sectorSize))
    refuse("sectorSize", "the sector size", sectorSize, `one of ${SECTOR_SIZES.join(", ")}`);

  const clusterSectors = boot.clusterSectors > 0x80 ? 2 ** (256 - boot.clusterSectors) : boot.clusterSectors;
  const clusterSize = clusterSectors * sectorSize;
  if (!isPowerWithin(clusterSize, SMALLEST_CLUSTER, CLUSTER_SIZE_LIMIT)) {
    const expected = `a power of two from ${SMALLEST_CLUSTER} to ${CLUSTER_SIZE_LIMIT}`;
    refuse("clusterSectors", "the cluster size", clusterSize, expected);
  }

  const recordSize = sizeOf(boot.recordSize, clusterSize);
  if (!isPowerWithin(recordSize, SMALLEST_RECORD, RECORD_SIZE_LIMIT)) {
    const expected = `a power of two from ${SMALLEST_RECORD} to ${RECORD_SIZE_LIMIT}`;
    refuse("recordSize", "the size of file records", recordSize, expected);
  }

  const clusterCount = Math.floor(boot.sectorCount / clusterSectors);
  const size = boot.sectorCount * sectorSize;
  if (clusterCount === 0 || clusterCount > CLUSTER_COUNT_LIMIT || !Number.isSafeInteger(size))
    refuse("sectorCount", "the number of sectors", boot.sectorCount, "that of a volume");
  return {
    sectorSize,
    clusterSize,
    clusterCount,
    recordSize,
    size,
    mftOffset: boot.mftCluster * clusterSize,
    mirrorOffset: boot.mirrorCluster * clusterSize,
    serial: Buffer.from(boot.serial).reverse().toString("hex").toUpperCase(),
  };
}

/** A size in clusters, or as a power of two if it is negative. */
function sizeOf(stored: number, clusterSize: number): number {
  return stored < 0x80 ? stored * clusterSize : 2 ** (256 - stored);
}

function isPowerWithin(value: number, least: number, most: number): boolean {
  return value >= least && value <= most && Number.isInteger(Math.log2(value));
}

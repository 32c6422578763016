/**
 * The boot region: a boot sector, further sectors, and a sector of checksums. A backup follows it. Source:
 * Microsoft exFAT specification (2019), section 3.
 */
import { span, struct, text, u16le, u32le, u64le, u8, type ViewOf } from "../../bytes/struct.js";
import { CorruptError, DiskError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { read } from "../../extent/read.js";
import { BOOT_MARK, EXFAT_OEM_NAME } from "../../extent/signatures.js";

export const BootSector = struct("exFAT boot sector", 512, {
  jump: span(0, 3),
  name: text(3, 8),
  zero: span(11, 53),
  volumeSectors: u64le(72),
  fatSector: u32le(80),
  fatSectors: u32le(84),
  heapSector: u32le(88),
  clusterCount: u32le(92),
  rootCluster: u32le(96),
  serial: u32le(100),
  revision: u16le(104),
  flags: u16le(106),
  sectorShift: u8(108),
  clusterShift: u8(109), // SectorsPerClusterShift
  fatCount: u8(110),
  percentInUse: u8(112),
  signature: u16le(510),
});
export type BootSector = ViewOf<typeof BootSector>;

/** VolumeFlags. Source: section 3.1.13. */
export const VolumeFlag = { secondFat: 0x0001, dirty: 0x0002, mediaFailure: 0x0004 } as const;

/** Sectors of one boot region; its checksum covers all but the last. */
export const REGION_SECTORS = 12;
/** Bytes of the boot sector that change in use, and are left out of the checksum. Source: section 3.4. */
const UNCHECKED = [106, 107, 112];

/** Source: sections 3.1.14, 3.1.15. */
const SECTOR_SHIFT = { least: 9, most: 12 } as const;
const CLUSTER_SIZE_SHIFT_LIMIT = 25; // 32 MiB
/** Source: section 3.1.9. */
const CLUSTER_COUNT_LIMIT = 0xffff_fff5;

/** Whether `bytes` begin an exFAT boot sector. */
export function isBootSector(bytes: Buffer): boolean {
  const { name, zero } = BootSector.view(bytes);
  // A FAT has its parameter block where exFAT has zeros, so neither driver accepts the other's volumes.
  return name === EXFAT_OEM_NAME && zero.every((byte) => byte === 0);
}

/**
 * The boot sector in `bytes`, all of whose fields are checked.
 * @throws {CorruptError} if a field is invalid.
 */
export function checkedBoot(bytes: Buffer, file: string, offset: number): BootSector {
  const boot = BootSector.view(bytes);
  const check = (field: keyof typeof BootSector.fields, isRight: boolean, expected: string): void => {
    if (isRight) return;
    const at = offset + BootSector.fields[field].offset;
    const value = boot[field];
    const found = Buffer.isBuffer(value) ? value.toString("hex") : value;
    throw new CorruptError({ file, offset: at, thing: `exFAT's ${field}`, found, expected });
  };
  const { sectorShift, clusterShift, fatSector, fatSectors, heapSector, clusterCount } = boot;
  check("signature", boot.signature === BOOT_MARK, "0xaa55");
  const isShift = sectorShift >= SECTOR_SHIFT.least && sectorShift <= SECTOR_SHIFT.most;
  check("sectorShift", isShift, `${SECTOR_SHIFT.least} to ${SECTOR_SHIFT.most}`);
  const most = CLUSTER_SIZE_SHIFT_LIMIT - sectorShift;
  check("clusterShift", clusterShift <= most, `at most ${most}`);
  check("fatCount", boot.fatCount === 1 || boot.fatCount === 2, "1 or 2");
  check("fatSector", fatSector >= 2 * REGION_SECTORS, `at least ${2 * REGION_SECTORS}`);
  check(
    "clusterCount",
    clusterCount > 0 && clusterCount <= CLUSTER_COUNT_LIMIT,
    `1 to ${CLUSTER_COUNT_LIMIT}`,
  );
  const needed = Math.ceil(((clusterCount + 2) * 4) / 2 ** sectorShift);
  check("fatSectors", fatSectors >= needed, `at least ${needed}`);
  const fatEnd = fatSector + fatSectors * boot.fatCount;
  check("heapSector", heapSector >= fatEnd, `at least ${fatEnd}, where the FATs end`);
  const isCluster = boot.rootCluster >= 2 && boot.rootCluster < clusterCount + 2;
  check("rootCluster", isCluster, `2 to ${clusterCount + 1}`);
  return boot;
}

/**
 * Returns true if the checksum of the boot region at `offset` is right; false also if the region cannot be read.
 */
export async function regionFits(volume: BlockSource, offset: number, sectorSize: number): Promise<boolean> {
  if (offset + REGION_SECTORS * sectorSize > volume.size) return false;
  try {
    const bytes = await read(volume, offset, REGION_SECTORS * sectorSize);
    const checked = bytes.subarray(0, (REGION_SECTORS - 1) * sectorSize);
    return checksum32(checked, UNCHECKED) === bytes.readUInt32LE(checked.length);
  } catch (error) {
    if (error instanceof DiskError) return false;
    throw error;
  }
}

/** A sum that is rotated right by one bit for each byte. Source: section 3.4, BootChecksum; section 7.2.2, TableChecksum. */
export function checksum32(bytes: Uint8Array, skipped: readonly number[] = []): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (!skipped.includes(at)) sum = (((sum << 31) | (sum >>> 1)) + bytes[at]!) >>> 0;
  }
  return sum;
}

/** The same with 16 bits. Source: section 6.3.3, EntrySetChecksum. */
export function checksum16(bytes: Uint8Array, skipped: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (!skipped.includes(at)) sum = (((sum << 15) | (sum >>> 1)) + bytes[at]!) & 0xffff;
  }
  return sum;
}

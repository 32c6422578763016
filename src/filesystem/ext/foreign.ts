/**
 * If the primary superblock is missing, the signature of another format means that the volume was formatted again, and that
 * copies of a superblock are remains of an older ext.
 */
import { isPowerOfTwo } from "../../bytes/integers.js";
import type { BlockSource } from "../../extent/extent.js";
import { peek } from "../../extent/peek.js";
import {
  BOOT_MARK,
  BOOT_MARK_OFFSET,
  BOOT_SECTORS,
  findSignature,
  FOREIGN,
  signatureIn,
} from "../../extent/signatures.js";

/** The BIOS parameter block's bytes per sector and sectors per cluster. */
const SECTOR_SIZE_OFFSET = 0x0b;
const CLUSTER_SIZE_OFFSET = 0x0d;
const SECTOR_SIZES = [512, 1024, 2048, 4096];

/** Whether `volume` begins as another format does, as far as it can be read. */
export async function isForeign(volume: BlockSource): Promise<boolean> {
  const boot = await peek(volume, 0, 512);
  if (boot?.readUInt16LE(BOOT_MARK_OFFSET) === BOOT_MARK) {
    if (hasParameterBlock(boot) || signatureIn(boot, BOOT_SECTORS) !== undefined) return true;
  }
  return (await findSignature(volume, FOREIGN)) !== undefined;
}

/** Whether `sector` has the parameter block of a FAT or an NTFS. */
function hasParameterBlock(sector: Buffer): boolean {
  return (
    isPowerOfTwo(sector[CLUSTER_SIZE_OFFSET]!) &&
    SECTOR_SIZES.includes(sector.readUInt16LE(SECTOR_SIZE_OFFSET))
  );
}

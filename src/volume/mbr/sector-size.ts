/**
 * The sector size of an MBR. Neither the MBR nor a raw image says whether sectors have 512 or 4096 bytes; it is found out
 * by what lies where the partitions would begin.
 */
import type { BlockSource } from "../../extent/extent.js";
import { peek } from "../../extent/peek.js";
import { signatureAt } from "../whole-disk.js";
import { isExtended, isUsed, MbrSector, parseMbr, type Mbr } from "../mbr-sector.js";

const COMMON_SECTOR_SIZE = 512;
const LARGE_SECTOR_SIZE = 4096;

/**
 * Returns the bytes of a sector: 4096 if something is recognised where partitions begin in sectors of 4096 bytes, but
 * nothing in sectors of 512 bytes; else 512.
 */
export async function findSectorSize(disk: BlockSource, mbr: Mbr): Promise<number> {
  const used = mbr.slots.filter(isUsed);
  const fitsLarge = used.every(
    (slot) => (slot.startSector + slot.sectorCount) * LARGE_SECTOR_SIZE <= disk.size,
  );
  if (!fitsLarge || (await hasContents(disk, mbr, COMMON_SECTOR_SIZE))) return COMMON_SECTOR_SIZE;
  return (await hasContents(disk, mbr, LARGE_SECTOR_SIZE)) ? LARGE_SECTOR_SIZE : COMMON_SECTOR_SIZE;
}

async function hasContents(disk: BlockSource, mbr: Mbr, sectorSize: number): Promise<boolean> {
  for (const slot of mbr.slots.filter(isUsed)) {
    const offset = slot.startSector * sectorSize;
    const found = isExtended(slot) ? isBootRecord(disk, offset) : signatureAt(disk, offset);
    if (await found) return true;
  }
  return false;
}

async function isBootRecord(disk: BlockSource, offset: number): Promise<boolean> {
  const sector = await peek(disk, offset, MbrSector.size);
  return sector !== undefined && parseMbr(sector) !== undefined;
}

/**
 * GUID partition tables: a header and an array of entries at the disk's start, a copy of both at its end, and a
 * protective MBR in front. Source: UEFI specification 2.10, section 5.3. Read: sectors of 512 and 4096 bytes,
 * entries of any size from 128 bytes, and the backup if the primary is damaged. The slots of a hybrid MBR are ignored.
 *
 * Parts of a GPT remain when a file system or an MBR is written to the whole disk: the backup, often also the primary's
 * header. Linux therefore uses a GPT only if there is a protective MBR (block/partitions/efi.c, is_pmbr_valid). vdisk does
 * the same, with two differences. With a protective MBR: if the primary is damaged, but a file system begins at the disk's
 * start, the file system is shown. Without one: the primary is used if nothing else is on the disk, and the backup if the
 * disk's start is all zeros.
 */
import { DiskError, withContext } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { findBackup, findPrimary, type Gpt } from "./copies.js";
import { parseEntries } from "./entries.js";
import { isUsed, MbrSector, parseMbr, protectiveSlot } from "../mbr-sector.js";
import { toVolumes } from "../partition.js";
import { outcome, readWithin } from "../reading.js";
import type { VolumeTable } from "../volume.js";
import { Warnings } from "../warnings.js";
import { isBlank, signatureAt, superblockAt } from "../whole-disk.js";

/**
 * Reads the GPT of `disk`; returns undefined if it has none, or only parts of an old one.
 * @throws {DiskError} if there is a protective MBR, but only damaged copies.
 */
export async function readGpt(disk: BlockSource): Promise<VolumeTable | undefined> {
  const warnings = new Warnings();
  const sector = await outcome(readWithin(disk, 0, MbrSector.size));
  if (sector === undefined) return undefined;
  if (sector instanceof DiskError) warnings.add(sector);
  const protective = sector instanceof DiskError ? undefined : protectiveSlot(parseMbr(sector));
  const primary = await findPrimary(disk);
  if (primary.gpt !== undefined && protective !== undefined) return toTable(disk, primary.gpt, warnings);
  if (await isClaimed(disk, sector, protective !== undefined)) return undefined;

  if (protective === undefined && Buffer.isBuffer(sector)) {
    if (primary.gpt === undefined && !(await isBlank(disk))) return undefined;
    warnings.add({ file: disk.name, offset: 0, thing: "the GPT's protective MBR", found: "missing" });
  }
  if (primary.gpt !== undefined) return toTable(disk, primary.gpt, warnings);
  const protectedSectors = protective && protective.startSector + protective.sectorCount - 1;
  // A first sector that cannot be read may have been a protective MBR, so it is treated as one.
  const isSearched = protective !== undefined || sector instanceof DiskError;
  const backup = await findBackup(disk, protectedSectors, isSearched);
  if (backup.gpt !== undefined) {
    if (primary.damage !== undefined) warnings.add(primary.damage);
    warnings.add({
      file: disk.name,
      offset: backup.gpt.offset,
      thing: "the GPT's backup is used, as the primary",
      found: primary.damage === undefined ? "missing" : "damaged",
    });
    return toTable(disk, backup.gpt, warnings);
  }
  if (protective === undefined) return undefined;
  if (primary.damage !== undefined) {
    const found = backup.damage === undefined ? "missing" : `damaged (${backup.damage.message})`;
    throw withContext(`the GPT's backup is ${found}, its primary damaged too`, primary.damage);
  }
  if (backup.damage !== undefined) throw withContext("the GPT's primary is missing", backup.damage);
  return undefined;
}

/**
 * Whether something else begins at the disk's start, so that a GPT is left from before. In a protective MBR, a boot sector
 * does not count: the MBR was written into it later.
 */
async function isClaimed(
  disk: BlockSource,
  sector: Buffer | DiskError,
  isProtected: boolean,
): Promise<boolean> {
  if (isProtected) return (await superblockAt(disk, 0)) !== undefined;
  if (Buffer.isBuffer(sector)) {
    const mbr = parseMbr(sector);
    if (mbr === undefined ? sector.some((byte) => byte !== 0) : mbr.slots.some(isUsed)) return true;
  }
  return (await signatureAt(disk, 0)) !== undefined;
}

function toTable(disk: BlockSource, gpt: Gpt, warnings: Warnings): VolumeTable {
  const { header, sectorSize } = gpt;
  const layout = {
    entrySize: header.entrySize,
    sectorSize,
    file: disk.name,
    origin: header.entriesSector * sectorSize,
  };
  const volumes = toVolumes(disk, parseEntries(gpt.entries, layout, warnings), warnings);
  return { kind: "gpt", sectorSize, uuid: header.diskGuid, volumes, warnings: warnings.list() };
}

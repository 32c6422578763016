/**
 * MBR partition tables: four slots in the first sector, and a chain of logical partitions in an extended one.
 * Source: UEFI specification 2.10, section 5.2; Linux block/partitions/msdos.c for what the specification leaves out.
 * Read: primaries, logicals under 0x05, 0x0f and 0x85, sectors of 512 and 4096 bytes. Not read: tables inside partitions
 * (BSD disklabels, Solaris VTOC, Minix), the variants of AIX and of boot managers.
 *
 * The first sector of a FAT, NTFS or exFAT file system has the same signature. If it looks like one, the disk has partitions
 * only if the four slots are flawless.
 */
import type { BlockSource } from "../../extent/extent.js";
import { readLogicals, type Logical } from "./logicals.js";
import {
  hasSaneStatus,
  isExtended,
  isUsed,
  MbrSector,
  parseMbr,
  PROTECTIVE_TYPE,
  type Mbr,
  type MbrSlot,
} from "../mbr-sector.js";
import { findSectorSize } from "./sector-size.js";
import { toVolumes, type Partition } from "../partition.js";
import { peek } from "../../extent/peek.js";
import { startsWithJump } from "../../extent/signatures.js";
import { readWithin } from "../reading.js";
import { mbrTypeName } from "../types.js";
import type { VolumeTable } from "../volume.js";
import { Warnings } from "../warnings.js";
import { bootSectorAt, signatureAt, superblockAt, wholeDisk } from "../whole-disk.js";

/**
 * Where copies of boot sectors lie, in bytes from the disk's start: FAT32's in sector 6 (Microsoft FAT specification, 2005,
 * section 3.3), exFAT's in sector 12, with sectors of 512 or 4096 bytes (exFAT specification, section 2).
 */
const COPY_OFFSETS = [6 * 512, 12 * 512, 12 * 4096];

/** Linux's number of the first logical partition. */
const FIRST_LOGICAL_NUMBER = 5;

/**
 * Reads the MBR of `disk`; returns undefined if it has none.
 * @throws {DiskError} if the first sector cannot be read.
 */
export async function readMbr(disk: BlockSource): Promise<VolumeTable | undefined> {
  const sector = await readWithin(disk, 0, MbrSector.size);
  const mbr = sector && parseMbr(sector);
  if (mbr === undefined) return undefined;
  const warnings = new Warnings();
  if (!(await isTable(disk, sector!, mbr, warnings))) {
    return { ...wholeDisk(disk), warnings: warnings.list() };
  }
  const sectorSize = await findSectorSize(disk, mbr);
  const primaries = mbr.slots
    .filter((slot) => isUsed(slot) && !isExtended(slot))
    .map((slot) => toPartition(slot, 0, slot.index + 1, sectorSize));
  const logicals = (await readLogicals(disk, mbr, sectorSize, warnings)).map(
    ({ slot, recordSector }: Logical, index) =>
      toPartition(slot, recordSector, FIRST_LOGICAL_NUMBER + index, sectorSize),
  );
  const volumes = toVolumes(disk, [...primaries, ...logicals], warnings);
  const uuid = mbr.diskSignature.toString(16).padStart(8, "0");
  return {
    kind: "mbr",
    sectorSize,
    ...(mbr.diskSignature !== 0 && { uuid }),
    volumes,
    warnings: warnings.list(),
  };
}

/** Whether the four slots are a partition table, and not the code or the text of a file system's boot sector. */
async function isTable(disk: BlockSource, sector: Buffer, mbr: Mbr, warnings: Warnings): Promise<boolean> {
  const used = mbr.slots.filter(isUsed);
  if ((await bootSectorAt(disk, 0, sector)) !== undefined) return used.length > 0 && isFlawless(disk, mbr);
  const strange = mbr.slots.find((slot) => !hasSaneStatus(slot));
  if (strange !== undefined) {
    if ((await signatureAt(disk, 0)) === undefined && used.length > 0) {
      warnings.add({
        file: disk.name,
        offset: strange.offset,
        thing: `the status of MBR slot ${strange.index + 1}`,
        found: `0x${strange.status.toString(16)}`,
        expected: "0x00 or 0x80",
        hint: "read as a disk without partitions",
      });
    }
    return false;
  }
  if (used.length === 0)
    return !startsWithJump(sector) && (await signatureAt(disk, 0)) === undefined && !(await hasCopy(disk));
  if (used.some((slot) => slot.type !== PROTECTIVE_TYPE)) return true;
  if ((await superblockAt(disk, 0)) !== undefined) return false;
  warnings.add({
    file: disk.name,
    offset: used[0]!.offset,
    thing: "the protective MBR's GPT",
    found: "neither at the disk's start nor at its end",
  });
  return true;
}

/** Whether FAT32 or exFAT has a copy of its boot sector on the disk: the boot sector itself may be damaged. */
async function hasCopy(disk: BlockSource): Promise<boolean> {
  for (const offset of COPY_OFFSETS) {
    const copy = await peek(disk, offset, MbrSector.size);
    if (copy !== undefined && (await bootSectorAt(disk, 0, copy)) !== undefined) return true;
  }
  return false;
}

/** Whether the used slots have a valid status, lie within the disk and do not overlap, and the others are all zeros. */
function isFlawless(disk: BlockSource, mbr: Mbr): boolean {
  const used = mbr.slots.filter(isUsed).sort((a, b) => a.startSector - b.startSector);
  const isEmpty = (slot: MbrSlot): boolean =>
    slot.status + slot.type + slot.startSector + slot.sectorCount === 0;
  let end = 1; // the table's own sector
  for (const slot of used) {
    if (slot.startSector < end) return false;
    end = slot.startSector + slot.sectorCount;
  }
  return (
    end * MbrSector.size <= disk.size &&
    mbr.slots.every((slot) => hasSaneStatus(slot) && (isUsed(slot) || isEmpty(slot)))
  );
}

function toPartition(slot: MbrSlot, recordSector: number, number: number, sectorSize: number): Partition {
  return {
    number,
    offset: (recordSector + slot.startSector) * sectorSize,
    length: slot.sectorCount * sectorSize,
    type: `0x${slot.type.toString(16).padStart(2, "0")}`,
    typeName: mbrTypeName(slot.type),
    bootable: slot.status === 0x80,
    entryOffset: recordSector * sectorSize + slot.offset,
  };
}

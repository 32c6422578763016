/** Opens a volume: finds the boot sector, or its backup, and collects what all parts of the reader need. */
import type { Zone } from "../../bytes/zone.js";
import { DiskError, UnsupportedError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { read } from "../../extent/read.js";
import { SLOT_SIZE } from "../fat-common/directory.js";
import { heapOn, type Heap } from "../fat-common/heap.js";
import { isRemainder } from "../fat-common/remains.js";
import { linkTable } from "../fat-common/table.js";
import { zoneOf } from "../fat-common/time.js";
import { NODE_ID_LIMIT, type FileSystemOptions } from "../filesystem.js";
import { BootSector, checkedBoot, isBootSector, REGION_SECTORS, regionFits, VolumeFlag } from "./boot.js";

export interface Medium {
  readonly heap: Heap;
  readonly boot: BootSector;
  readonly zone: Zone;
  /** True if the second FAT and the second bitmap are in use. */
  readonly isSecond: boolean;
  readonly warnings: readonly string[];
}

const SECTOR_SIZES = [512, 1024, 2048, 4096];

/**
 * The exFAT on `volume`, or undefined if there is none.
 * @throws {CorruptError} if neither boot sector is usable.
 * @throws {UnsupportedError} if the volume is too large for node numbers, or the time zone is unknown.
 */
export async function openMedium(
  volume: BlockSource,
  options: FileSystemOptions,
): Promise<Medium | undefined> {
  const found = await findBoot(volume);
  if (found === undefined) return undefined;
  const { boot, warnings } = found;
  const zone = zoneOf(options, volume.name);
  const sectorSize = 2 ** boot.sectorShift;
  const clusterSize = sectorSize * 2 ** boot.clusterShift;
  const offset = boot.heapSector * sectorSize;
  const end = offset + boot.clusterCount * clusterSize;
  if (end / SLOT_SIZE > NODE_ID_LIMIT) {
    const expected = `at most ${NODE_ID_LIMIT * SLOT_SIZE} bytes`;
    throw new UnsupportedError({ file: volume.name, thing: "the size of this exFAT", found: end, expected });
  }
  if (end > volume.size) {
    warnings.push(`the file system has ${end} bytes, but its volume only ${volume.size}`);
  }
  if ((boot.flags & VolumeFlag.dirty) !== 0) warnings.push("the file system was not unmounted cleanly");
  if ((boot.flags & VolumeFlag.mediaFailure) !== 0) {
    warnings.push("the guest had read or write errors on this volume");
  }
  const isSecond = boot.fatCount === 2 && (boot.flags & VolumeFlag.secondFat) !== 0;
  const fatOffset = (boot.fatSector + (isSecond ? boot.fatSectors : 0)) * sectorSize;
  const heap = heapOn(volume, {
    clusterSize,
    clusterCount: boot.clusterCount,
    offset,
    table: linkTable(volume, "exfat", [fatOffset], boot.clusterCount + 2),
  });
  return { heap, boot, zone, isSecond, warnings };
}

interface Found {
  readonly boot: BootSector;
  readonly warnings: string[];
}

/** The first boot sector if its region's checksum is right; else the second; else the first, if its fields are valid. */
async function findBoot(volume: BlockSource): Promise<Found | undefined> {
  const main = await sectorAt(volume, 0);
  let first: BootSector | undefined;
  let damage: DiskError | undefined;
  if (main !== undefined && isBootSector(main)) {
    try {
      first = checkedBoot(main, volume.name, 0);
      if (await regionFits(volume, 0, 2 ** first.sectorShift)) return { boot: first, warnings: [] };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      damage = error;
    }
  }
  const backup = await backupOf(volume, main);
  if (backup !== undefined)
    return { boot: backup, warnings: ["the boot region is damaged, its backup is used"] };
  if (damage !== undefined) throw damage;
  return first && { boot: first, warnings: ["the checksums of both boot regions are wrong"] };
}

/** The sector's bytes; undefined if they cannot be read. */
async function sectorAt(volume: BlockSource, offset: number): Promise<Buffer | undefined> {
  if (offset + BootSector.size > volume.size) return undefined;
  try {
    return await read(volume, offset, BootSector.size);
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}

async function backupOf(volume: BlockSource, main: Buffer | undefined): Promise<BootSector | undefined> {
  for (const sectorSize of SECTOR_SIZES) {
    const offset = REGION_SECTORS * sectorSize;
    const bytes = await sectorAt(volume, offset);
    if (bytes === undefined || !isBootSector(bytes) || !isRemainder(main, bytes)) continue;
    if (!(await regionFits(volume, offset, sectorSize))) continue;
    try {
      const boot = checkedBoot(bytes, volume.name, offset);
      if (2 ** boot.sectorShift === sectorSize) return boot;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }
  return undefined;
}

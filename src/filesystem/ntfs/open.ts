/** From a volume to its file table: the boot sector, or the backup of it at the volume's end. */
import { CorruptError, DiskError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { peek } from "../../extent/peek.js";
import { read } from "../../extent/read.js";
import {
  BOOT_MARK,
  EXT_MAGIC_OFFSET,
  EXT_SUPERBLOCK_OFFSET,
  findSignature,
  FOREIGN,
  hasExtMagic,
  NTFS_OEM_NAME,
} from "../../extent/signatures.js";
import type { FileSystemOptions } from "../filesystem.js";
import { BootSector, geometryOf, type Geometry } from "./boot.js";
import { mediumOn, type Medium } from "./medium.js";
import { mftAt } from "./mft/mft.js";
import { findMft } from "./mft/mft-runs.js";

/** Sizes of sectors, in the order in which they are tried for the backup, which is the last sector of the volume. */
const SECTOR_SIZES = [512, 4096, 1024, 2048, 256];

/** The file system, and warnings about it. */
export interface Opened {
  readonly medium: Medium;
  readonly warnings: string[];
}

/**
 * The file system whose boot sector is where it should be; undefined if there is none, or if that sector cannot be
 * read: openMediumByBackup is for such volumes.
 * @throws {DiskError} if it is damaged beyond use.
 */
export async function openMedium(
  volume: BlockSource,
  options: FileSystemOptions,
): Promise<Opened | undefined> {
  const sector = await peek(volume, 0, BootSector.size);
  if (sector === undefined) return undefined;
  const boot = BootSector.view(sector);
  if (boot.oemId !== NTFS_OEM_NAME) return undefined;
  const isExtThere = await hasExt(volume);
  try {
    const opened = await openBy(volume, geometryOf(boot, volume.name, 0), [], options);
    // mke2fs clears the boot sector: if there is one, NTFS was made later, over the remains of an ext.
    if (isExtThere)
      opened.warnings.push(
        "a superblock of ext is here, too; the boot sector is NTFS's, so that is what is shown",
      );
    return opened;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const opened = await openByBackup(volume, error, options);
    if (opened !== undefined) return opened;
    if (isExtThere) return undefined; // the remains of NTFS are of no use
    throw error;
  }
}

/**
 * The file system whose boot sector is unusable, by its backup. This is for volumes on which nothing else was found: a
 * newer file system over an old NTFS leaves the backup as it was.
 */
export async function openMediumByBackup(
  volume: BlockSource,
  options: FileSystemOptions,
): Promise<Opened | undefined> {
  if (volume.size < 2 * BootSector.size) return undefined;
  if (await isForeign(volume)) return undefined;
  let damage: DiskError;
  let other: BootSector | undefined;
  try {
    const boot = BootSector.view(await read(volume, 0, BootSector.size));
    if (boot.oemId === NTFS_OEM_NAME) return undefined; // openMedium has tried the backup already
    if (boot.endMark === BOOT_MARK) other = boot;
    damage = new CorruptError({
      file: volume.name,
      offset: BootSector.fields.oemId.offset,
      thing: "the boot sector's name",
      found: JSON.stringify(boot.oemId),
      expected: JSON.stringify(NTFS_OEM_NAME),
    });
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    damage = error;
  }
  return openByBackup(volume, damage, options, other);
}

/** Whether `boot`, whose name is wrong, belongs to `backup` nevertheless: a newer file system has other values. */
function isLike(boot: BootSector, backup: BootSector): boolean {
  return (
    boot.sectorCount === backup.sectorCount &&
    boot.mftCluster === backup.mftCluster &&
    boot.serial.equals(backup.serial)
  );
}

/** @param other a boot sector to which the backup must be similar. */
async function openByBackup(
  volume: BlockSource,
  damage: DiskError,
  options: FileSystemOptions,
  other?: BootSector,
): Promise<Opened | undefined> {
  for (const sectorSize of SECTOR_SIZES) {
    const offset = (Math.floor(volume.size / sectorSize) - 1) * sectorSize;
    if (offset <= 0 || offset + BootSector.size > volume.size) continue;
    try {
      const boot = BootSector.view(await read(volume, offset, BootSector.size));
      if (boot.oemId !== NTFS_OEM_NAME) continue;
      if (other !== undefined && !isLike(other, boot)) continue;
      const geometry = geometryOf(boot, volume.name, offset);
      if (geometry.size > offset) continue; // it lies behind the last sector of its own volume
      const warning = `the boot sector is damaged, its backup at byte ${offset} is used: ${damage.message}`;
      return await openBy(volume, geometry, [warning], options);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error; // this is no backup; another size may fit
    }
  }
  return undefined;
}

async function openBy(
  volume: BlockSource,
  geometry: Geometry,
  warnings: string[],
  options: FileSystemOptions,
): Promise<Opened> {
  if (geometry.size > volume.size)
    warnings.push(`the file system has ${geometry.size} bytes, but its volume only ${volume.size}`);
  const place = await findMft(volume, geometry, warnings);
  const mft = mftAt(place, geometry, volume.name);
  return { medium: mediumOn(volume, geometry, mft, options), warnings };
}

/** Whether another format than NTFS is here, as far as its signature can be read. */
async function isForeign(volume: BlockSource): Promise<boolean> {
  return (await hasExt(volume)) || (await findSignature(volume, FOREIGN)) !== undefined;
}

async function hasExt(volume: BlockSource): Promise<boolean> {
  const magic = await peek(volume, EXT_SUPERBLOCK_OFFSET, EXT_MAGIC_OFFSET + 2);
  return magic !== undefined && hasExtMagic(magic);
}

/** All file system drivers, in probe order. */
import { DiskError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { read } from "../extent/read.js";
import { extBackupDriver, extDriver } from "./ext/ext.js";
import { exfatDriver } from "./exfat/exfat.js";
import { fatDriver } from "./fat/fat.js";
import { ntfsBackupDriver, ntfsDriver } from "./ntfs/ntfs.js";
import type { FileSystem, FileSystemDriver, FileSystemOptions } from "./filesystem.js";

/**
 * NTFS comes first: mke2fs clears the boot sector, so that an NTFS boot sector beside an ext superblock belongs to a
 * newer NTFS. The drivers that use a backup come last, because a backup survives most later formatting; the driver for
 * NTFS before that for ext, because mke2fs clears the volume's end, where the backup boot sector is.
 */
const drivers: readonly FileSystemDriver[] = [
  ntfsDriver,
  extDriver,
  fatDriver,
  exfatDriver,
  ntfsBackupDriver,
  extBackupDriver,
];

/** The first bytes of a volume, which hold the primary signature of every file system here: ext's superblock ends at 2048. */
const PROBED_SIZE = 2048;
const SECTOR_SIZE = 512;

/**
 * Opens the file system on `volume`; returns `undefined` if no driver recognises one. A driver that fails does not
 * end the search: its error is thrown only where no other driver opens the volume. So each driver must itself refuse
 * what an older file system left behind.
 * @throws {DiskError} if there is one that cannot be read, or where the bytes that would identify it cannot be.
 */
export async function openFileSystem(
  volume: BlockSource,
  options: FileSystemOptions = {},
): Promise<FileSystem | undefined> {
  const failures: DiskError[] = [];
  for (const driver of drivers) {
    try {
      const fileSystem = await driver.open(volume, options);
      if (fileSystem !== undefined) return fileSystem;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      failures.push(error);
    }
  }
  const [failure] = failures.length > 0 ? failures : await unreadableSectors(volume);
  if (failure !== undefined) throw failure;
  return undefined;
}

/** Why the sectors that identify a file system cannot be read; empty where all of them can. */
async function unreadableSectors(volume: BlockSource): Promise<DiskError[]> {
  const failures: DiskError[] = [];
  for (let offset = 0; offset < Math.min(volume.size, PROBED_SIZE); offset += SECTOR_SIZE) {
    try {
      await read(volume, offset, Math.min(SECTOR_SIZE, volume.size - offset));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      failures.push(error);
    }
  }
  return failures;
}

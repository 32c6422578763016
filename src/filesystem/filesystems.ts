/** Every file system we read, in probe order. */
import type { BlockSource } from "../extent/extent.js";
import { extDriver } from "./ext/ext.js";
import { exfatDriver } from "./exfat/exfat.js";
import { fatDriver } from "./fat/fat.js";
import { ntfsBackupDriver, ntfsDriver } from "./ntfs/ntfs.js";
import type { FileSystem, FileSystemDriver, FileSystemOptions } from "./filesystem.js";

/**
 * NTFS comes first: who makes an ext clears the boot sector, so that one of NTFS means a later NTFS; its other driver
 * comes last, since it is content with what an old NTFS left behind.
 */
const drivers: readonly FileSystemDriver[] = [
  ntfsDriver,
  extDriver,
  fatDriver,
  exfatDriver,
  ntfsBackupDriver,
];

/**
 * The file system on `volume`, or `undefined` where none of ours is.
 * @throws {DiskError} where there is one that cannot be read.
 */
export async function openFileSystem(
  volume: BlockSource,
  options: FileSystemOptions = {},
): Promise<FileSystem | undefined> {
  for (const driver of drivers) {
    const fileSystem = await driver.open(volume, options);
    if (fileSystem !== undefined) return fileSystem;
  }
  return undefined;
}

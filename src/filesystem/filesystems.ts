/** Every file system we read, in probe order. */
import type { BlockSource } from "../extent/extent.js";
import { extDriver } from "./ext/ext.js";
import { exfatDriver } from "./exfat/exfat.js";
import { fatDriver } from "./fat/fat.js";
import type { FileSystem, FileSystemDriver, FileSystemOptions } from "./filesystem.js";

const drivers: readonly FileSystemDriver[] = [extDriver, fatDriver, exfatDriver];

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

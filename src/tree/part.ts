/** A partition, and what is on it. */
import { DiskError } from "../errors.js";
import type { FileSystem, FileSystemOptions } from "../filesystem/filesystem.js";
import { openFileSystem } from "../filesystem/filesystems.js";
import type { Volume } from "../volume/volume.js";

export interface Part {
  readonly volume: Volume;
  /** Absent where no file system that we know is on it. */
  readonly fileSystem?: FileSystem;
  /** Why the file system that is on it cannot be read. */
  readonly problem?: DiskError;
}

/** A file system that cannot be read takes its files, not the partition. */
export async function openPart(volume: Volume, options: FileSystemOptions): Promise<Part> {
  try {
    const fileSystem = await openFileSystem(volume.source, options);
    return fileSystem === undefined ? { volume } : { volume, fileSystem };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return { volume, problem: error };
  }
}

/** What `part` has to say, each sentence with the name that it has in the tree. */
export function warningsOf({ volume, fileSystem, problem }: Part): string[] {
  if (problem !== undefined) return [`fs${volume.index} is not shown: ${problem.message}`];
  return fileSystem?.facts.warnings.map((warning) => `fs${volume.index}: ${warning}`) ?? [];
}

/** A partition, and what is on it. */
import { CorruptError, DiskError } from "../errors.js";
import type { FileSystem, FileSystemOptions } from "../filesystem/filesystem.js";
import { openFileSystem } from "../filesystem/filesystems.js";
import { unreadContentsOf } from "../volume/contents.js";
import { changingTree, type ChangingTree } from "./changing-tree.js";
import type { Volume } from "../volume/volume.js";

export interface Part {
  readonly volume: Volume;
  /** Absent if the partition has no file system that is supported, or a damaged one. */
  readonly fileSystem?: FileSystem;
  /** The file system as it is after changes of its volume, if that can change. */
  readonly changing?: ChangingTree;
  /** Why the file system that is on it cannot be read. */
  readonly problem?: DiskError;
  /** An error other than a DiskError when the file system was opened: a bug in vdisk. */
  readonly bug?: Error;
  /** The format of the partition, if it is not supported, by its signature: "LVM2", "XFS". */
  readonly contents?: string;
}

/** A part of a disk that is missing from the tree. */
export interface Problem {
  /** A DiskError; any other error is a bug in vdisk. */
  readonly error: Error;
  /** The sentence about it among the view's warnings. */
  readonly warning: string;
}

/** Opens what is on `volume`. Whatever goes wrong concerns this part alone: others can still be read. */
export async function openPart(volume: Volume, options: FileSystemOptions): Promise<Part> {
  try {
    const open = (): Promise<FileSystem | undefined> => openFileSystem(volume.source, options);
    const fileSystem = await open();
    if (fileSystem !== undefined) {
      const changing = changingTree(volume.source, fileSystem, open);
      return { volume, fileSystem, ...(changing && { changing }) };
    }
    const contents = await unreadContentsOf(volume.source);
    if (contents !== undefined) return { volume, contents };
    return volume.source.size < volume.tableSize ? { volume, problem: cutShort(volume) } : { volume };
  } catch (error) {
    if (error instanceof DiskError) return { volume, problem: error };
    return { volume, bug: error instanceof Error ? error : new Error(String(error)) };
  }
}

function cutShort({ source, tableSize }: Volume): CorruptError {
  return new CorruptError({
    file: source.name,
    thing: "the part of this partition that lies within the disk",
    found: `${source.size} bytes`,
    expected: `${tableSize}; the disk is cut short, and no file system is recognized in the rest`,
  });
}

/** Why the file system of `part` is missing from the tree. */
export function problemOf({ volume, problem, bug }: Part): Problem | undefined {
  const name = `fs${volume.index}`;
  if (problem !== undefined) return { error: problem, warning: `${name} is not shown: ${problem.message}` };
  if (bug === undefined) return undefined;
  return {
    error: bug,
    warning: `${name} is not shown: this is a bug in vdisk, please report it: ${bug.message}`,
  };
}

/** The warnings about `part`, each with the name of the part in the tree. */
export function warningsOf(part: Part): string[] {
  const problem = problemOf(part);
  if (problem !== undefined) return [problem.warning];
  const { volume, fileSystem } = part;
  return fileSystem?.facts.warnings.map((warning) => `fs${volume.index}: ${warning}`) ?? [];
}

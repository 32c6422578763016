/** What is on a disk at one state: its partitions, and their file systems. */
import { DiskError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import type { FileSystemOptions } from "../filesystem/filesystem.js";
import type { Chain } from "../image/chain.js";
import type { Layer } from "../image/image.js";
import { readVolumes } from "../volume/volumes.js";
import type { VolumeTable } from "../volume/volume.js";
import { openPart, warningsOf, type Part } from "./part.js";

export interface View {
  /** The whole disk: `vhdd`. */
  readonly source: BlockSource;
  /** The chain, the newest image first. */
  readonly layers: readonly Layer[];
  readonly table: VolumeTable;
  readonly parts: readonly Part[];
  /** What is odd or damaged anywhere, but did not stop us; each once. */
  readonly warnings: readonly string[];
}

/**
 * A part that cannot be read is said in `warnings` and does not keep the rest from being read.
 * @param options how file systems are opened; undefined where none is to be.
 */
export async function openView(
  { source, layers, warnings }: Chain,
  options: FileSystemOptions | undefined,
): Promise<View> {
  const table = await readTable(source);
  const parts: Part[] =
    options === undefined
      ? table.volumes.map((volume) => ({ volume }))
      : await Promise.all(table.volumes.map((volume) => openPart(volume, options)));
  const all = [...warnings, ...table.warnings, ...parts.flatMap(warningsOf)];
  return { source, layers, table, parts, warnings: [...new Set(all)] };
}

/** A damaged partition table takes the partitions, not the disk. */
async function readTable(disk: BlockSource): Promise<VolumeTable> {
  try {
    return await readVolumes(disk);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const warning = `the partition table cannot be read, only the whole disk is shown: ${error.message}`;
    return { kind: "none", sectorSize: 512, volumes: [], warnings: [warning] };
  }
}

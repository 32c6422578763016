/** What is on a disk at one state: its partitions, and their file systems. */
import type { BlockSource } from "../extent/extent.js";
import type { FileSystemOptions } from "../filesystem/filesystem.js";
import type { Chain } from "../image/chain.js";
import type { Layer } from "../image/image.js";
import { readVolumes } from "../volume/volumes.js";
import type { VolumeTable } from "../volume/volume.js";
import { openPart, problemOf, warningsOf, type Part, type Problem } from "./part.js";

export interface View {
  /** The whole disk: `vhdd`. */
  readonly source: BlockSource;
  /** The chain, the newest image first. */
  readonly layers: readonly Layer[];
  readonly table: VolumeTable;
  readonly parts: readonly Part[];
  /** Warnings about damage that leaves the disk readable; each once. */
  readonly warnings: readonly string[];
  /** Why parts of the disk are missing from the tree: the partition table's error, then the file systems'. */
  readonly problems: readonly Problem[];
}

/**
 * Reads what is on the disk of a chain. A part that cannot be read is reported in `warnings` and `problems`; the others
 * are in the view all the same.
 * @param options how file systems are opened; undefined to open none.
 */
export async function openView(
  { source, layers, warnings }: Chain,
  options: FileSystemOptions | undefined,
): Promise<View> {
  const table = await readVolumes(source);
  const parts: Part[] =
    options === undefined
      ? table.volumes.map((volume) => ({ volume }))
      : await Promise.all(table.volumes.map((volume) => openPart(volume, options)));
  const all = [...warnings, ...table.warnings, ...parts.flatMap(warningsOf)];
  return {
    source,
    layers,
    table,
    parts,
    warnings: [...new Set(all)],
    problems: [...tableProblem(table), ...parts.flatMap((part) => problemOf(part) ?? [])],
  };
}

function tableProblem({ problem, warnings }: VolumeTable): Problem[] {
  return problem === undefined ? [] : [{ error: problem, warning: warnings[0]! }];
}

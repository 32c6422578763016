/** From clusters to bytes: runs of a file as runs of the volume. */
import { CorruptError } from "../../../errors.js";
import type { BlockSource } from "../../../extent/extent.js";
import { trim, type Run } from "../../../extent/runs.js";
import type { Geometry } from "../boot.js";
import type { ClusterRun } from "../mft/run-list.js";

/** A range of bytes of something that lies in clusters of `volume`. */
export interface ClusterRange {
  readonly volume: BlockSource;
  readonly geometry: Geometry;
  readonly offset: number;
  readonly length: number;
}

/**
 * What the beginning of a range consists of, in bytes. `map` tells it in clusters: `count` of them from `vcn` on or fewer,
 * but at least one.
 */
export async function clusterRuns(
  { volume, geometry, offset, length }: ClusterRange,
  map: (vcn: number, count: number) => Promise<ClusterRun[]>,
): Promise<Run[]> {
  if (length === 0) return [];
  const { clusterSize } = geometry;
  const first = Math.floor(offset / clusterSize);
  const runs: Run[] = [];
  for (const run of await map(first, Math.ceil((offset + length) / clusterSize) - first)) {
    appendClusters(runs, run, volume, geometry);
  }
  return trim(runs, offset - first * clusterSize, length);
}

/** Appends a run of clusters; those that leave the volume, or one that is cut short, are damaged. */
export function appendClusters(runs: Run[], run: ClusterRun, volume: BlockSource, geometry: Geometry): void {
  const { clusterSize, clusterCount } = geometry;
  const length = run.count * clusterSize;
  if (run.kind === "hole") runs.push({ kind: "zero", length });
  else if (run.kind === "damaged") runs.push({ kind: "damaged", length, error: run.error });
  else {
    const there = Math.min(clusterCount * clusterSize, volume.size);
    const offset = run.lcn * clusterSize;
    const inside = Math.max(0, Math.min(length, there - offset));
    if (inside > 0) runs.push({ kind: "at", offset, length: inside });
    if (inside === length) return;
    const error = new CorruptError({
      file: volume.name,
      thing: "clusters of a file",
      found: `${run.lcn} to ${run.lcn + run.count - 1}`,
      expected:
        run.lcn + run.count <= clusterCount
          ? `within the ${volume.size} bytes that there are; the volume is cut short`
          : `below ${clusterCount}`,
    });
    runs.push({ kind: "damaged", length: length - inside, error });
  }
}

/** From clusters to bytes: runs of a file as runs of the volume. */
import { CorruptError } from "../../../errors.js";
import { addWithin, Builder } from "../../../extent/builder.js";
import type { BlockSource } from "../../../extent/extent.js";
import type { Run } from "../../../extent/runs.js";
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
  const runs = new Builder<Run>(offset - first * clusterSize, length);
  for (const run of await map(first, Math.ceil((offset + length) / clusterSize) - first)) {
    addClusters(runs, run, volume, geometry);
  }
  return runs.list;
}

/** Adds a run of clusters. Those outside the volume, or behind the end of one that is cut short, are damaged. */
export function addClusters(
  runs: Builder<Run>,
  run: ClusterRun,
  volume: BlockSource,
  { clusterSize, clusterCount }: Geometry,
): void {
  const length = run.count * clusterSize;
  if (run.kind === "hole") runs.add({ kind: "zero", length });
  else if (run.kind === "damaged") runs.add({ kind: "damaged", length, error: run.error });
  else {
    const end = Math.min(clusterCount * clusterSize, volume.size);
    addWithin(
      runs,
      { kind: "at", offset: run.lcn * clusterSize, length },
      { end },
      () =>
        new CorruptError({
          file: volume.name,
          thing: "clusters of a file",
          found: `${run.lcn} to ${run.lcn + run.count - 1}`,
          expected:
            run.lcn + run.count <= clusterCount
              ? `within the ${volume.size} bytes that there are; the volume is cut short`
              : `below ${clusterCount}`,
        }),
    );
  }
}

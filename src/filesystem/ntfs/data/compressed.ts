/**
 * Files that NTFS compresses: units of 2^n clusters. A unit with all of its clusters is stored as it is; one with
 * fewer, and a hole behind them, is packed with LZNT1; one that is all hole is zeros.
 */
import { Builder } from "../../../extent/builder.js";
import type { VolumeRun, PackedUnit } from "../../../extent/extent.js";
import type { Run } from "../../../extent/runs.js";
import { yieldIfDue } from "../../../extent/time-slice.js";
import { attributeError, type AttributeRecord, type NonResident } from "../mft/attribute.js";
import { addClusters } from "./clusters.js";
import type { Medium } from "../medium.js";
import type { ClusterRun } from "../mft/run-list.js";

/** Bytes of the largest unit. Windows makes units of 16 clusters of up to 4 KiB; ntfs-3g reads the same. */
const UNIT_SIZE_LIMIT = 4 * 2 ** 20;

/**
 * What ranges of the compressed attribute consist of, for ranges within its valid size, under the terms of `runSource`.
 * The cost is that of the cluster runs, not of the units: a hole of any length is one run of zeros.
 */
export function compressedRuns(
  medium: Medium,
  attribute: AttributeRecord,
  head: NonResident,
  map: (vcn: number, count: number) => Promise<ClusterRun[]>,
): (offset: number, length: number) => Promise<Run[]> {
  const { volume, geometry } = medium;
  const { clusterSize } = geometry;
  const unitClusters = 2 ** head.unitPower;
  const unitSize = unitClusters * clusterSize;
  if (unitSize > UNIT_SIZE_LIMIT) {
    throw attributeError(
      attribute,
      volume.name,
      "the compression unit",
      `${unitSize} bytes`,
      `at most ${UNIT_SIZE_LIMIT}`,
    );
  }

  /** Clusters from `vcn` on, `count` or fewer, but whole units of them: at least one. */
  const mapUnits = async (vcn: number, count: number): Promise<ClusterRun[]> => {
    const clusters = await map(vcn, count);
    let known = countOf(clusters);
    while (known < unitClusters) {
      const more = await map(vcn + known, unitClusters - known);
      clusters.push(...more);
      known += countOf(more);
    }
    return clusters;
  };

  return async (offset, length) => {
    const first = Math.floor(offset / unitSize);
    const end = Math.ceil((offset + length) / unitSize);
    const clusters = await mapUnits(first * unitClusters, (end - first) * unitClusters);
    const runs = new Builder<Run>(offset - first * unitSize, length);
    let unit = first;
    for (const group of groupUnits(clusters, unitClusters)) {
      const turn = yieldIfDue();
      if (turn !== undefined) await turn;
      if (Array.isArray(group)) {
        const valid = Math.min(unitSize, head.validSize - unit * unitSize);
        runs.addAll(unitRuns(medium, attribute, unit, group, valid, unitSize));
        unit++;
      } else {
        addClusters(runs, group, volume, geometry);
        unit += group.count / unitClusters;
      }
      if (runs.isFull) break;
    }
    return runs.list;
  };
}

/**
 * `clusters` by compression units of `size` clusters: a run that covers whole units stands for all of these, since they are
 * all stored as they are, or all holes; any other unit is the list of its runs. What is left at the end is not returned.
 */
function groupUnits(clusters: readonly ClusterRun[], size: number): (ClusterRun | ClusterRun[])[] {
  const groups: (ClusterRun | ClusterRun[])[] = [];
  let unit: ClusterRun[] = []; // the unit that is being put together
  let missing = size;
  for (const run of clusters) {
    for (let skip = 0; skip < run.count;) {
      const left = run.count - skip;
      const isWhole = missing === size && left >= size;
      const count = isWhole ? left - (left % size) : Math.min(missing, left);
      const part = run.kind === "at" ? { ...run, lcn: run.lcn + skip, count } : { ...run, count };
      skip += count;
      if (isWhole) {
        groups.push(part);
        continue;
      }
      unit.push(part);
      missing -= count;
      if (missing > 0) continue;
      groups.push(unit);
      unit = [];
      missing = size;
    }
  }
  return groups;
}

function countOf(clusters: readonly ClusterRun[]): number {
  return clusters.reduce((sum, { count }) => sum + count, 0);
}

/** What unit `index` consists of, whose clusters are `clusters`: `size` bytes, of which `valid` were ever written. */
function unitRuns(
  medium: Medium,
  attribute: AttributeRecord,
  index: number,
  clusters: readonly ClusterRun[],
  valid: number,
  size: number,
): Run[] {
  const { volume, geometry } = medium;
  const hole = clusters.findIndex(({ kind }) => kind === "hole");
  const all = new Builder<Run>(0, Infinity, Infinity);
  for (const run of clusters) addClusters(all, run, volume, geometry);
  const runs = all.list;
  if (hole < 0 || clusters.every(({ kind }) => kind === "hole")) return runs;
  const damage = runs.find((run) => run.kind === "damaged");
  if (damage !== undefined) return [{ ...damage, length: size }];
  if (clusters.slice(hole).some(({ kind }) => kind === "at")) {
    const found = "clusters behind a hole";
    const error = attributeError(
      attribute,
      volume.name,
      `compression unit ${index}`,
      found,
      "its clusters first",
    );
    return [{ kind: "damaged", length: size, error }];
  }
  const packed = runs.filter((run) => run.kind === "at");
  const { record, instance } = attribute;
  const unit = unitOf(medium, `${record.number} ${instance} ${index}`, packed, valid);
  return [
    { kind: "packed", length: valid, unit, skip: 0 },
    { kind: "zero", length: size - valid },
  ];
}

/** The unit `index` of the volume, whose packed bytes lie in `packed`. */
function unitOf({ volume }: Medium, index: string, packed: readonly VolumeRun[], size: number): PackedUnit {
  const total = packed.reduce((sum, { length }) => sum + length, 0);
  const place = { file: volume.name, offset: packed[0]!.offset };
  return {
    id: { source: volume, index },
    codec: "lznt1",
    places: [0, total],
    chunkSize: size,
    size,
    mayBeStored: false,
    source: volume,
    runs: packed,
    placeOf: () => place,
  };
}

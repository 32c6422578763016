/**
 * Files that NTFS compresses: units of 2^n clusters. A unit with all of its clusters is stored as it is; one with
 * fewer, and a hole behind them, is packed with LZNT1; one that is all hole is zeros.
 */
import type { PackedUnit } from "../../extent/extent.js";
import type { Run } from "../../extent/runs.js";
import { attributeError, type AttributeRecord, type NonResident } from "./attribute.js";
import { appendClusters, trim } from "./clusters.js";
import type { Medium } from "./medium.js";
import type { ClusterRun } from "./runlist.js";

/** Bytes of the largest unit. Windows makes units of 16 clusters of up to 4 KiB; ntfs-3g reads the same. */
const UNIT_SIZE_LIMIT = 4 * 2 ** 20;

/** Bytes that are asked of the runs at once: one look at them serves many units. */
const WINDOW_SIZE = 4 * 2 ** 20;

/** What ranges of the compressed attribute consist of, for ranges within its valid size. */
export function compressedRuns(
  medium: Medium,
  attribute: AttributeRecord,
  head: NonResident,
  map: (vcn: number, count: number) => Promise<ClusterRun[]>,
): (offset: number, length: number) => Promise<Run[]> {
  const { clusterSize } = medium.geometry;
  const unitClusters = 2 ** head.unitPower;
  const unitSize = unitClusters * clusterSize;
  if (unitSize > UNIT_SIZE_LIMIT) {
    const file = medium.volume.name;
    throw attributeError(
      attribute,
      file,
      "the compression unit",
      `${unitSize} bytes`,
      `at most ${UNIT_SIZE_LIMIT}`,
    );
  }
  const unitsPerWindow = WINDOW_SIZE / unitSize;

  return async (offset, length) => {
    const first = Math.floor(offset / unitSize);
    const end = Math.ceil((offset + length) / unitSize);
    const runs: Run[] = [];
    for (let unit = first; unit < end;) {
      const count = Math.min(unitsPerWindow, end - unit);
      const clusters = await map(unit * unitClusters, count * unitClusters);
      const parts = split(clusters, unitClusters);
      for (let index = 0; index < count; index++) {
        const valid = Math.min(unitSize, head.validSize - (unit + index) * unitSize);
        runs.push(...unitRuns(medium, attribute, unit + index, parts[index]!, valid, unitSize));
      }
      unit += count;
    }
    return trim(runs, offset - first * unitSize, length);
  };
}

/** `runs` cut into parts of `size` clusters. */
function split(runs: readonly ClusterRun[], size: number): ClusterRun[][] {
  const parts: ClusterRun[][] = [];
  let room = 0;
  for (const run of runs) {
    for (let skip = 0; skip < run.count;) {
      if (room === 0) {
        parts.push([]);
        room = size;
      }
      const count = Math.min(room, run.count - skip);
      parts.at(-1)!.push(run.kind === "at" ? { ...run, lcn: run.lcn + skip, count } : { ...run, count });
      room -= count;
      skip += count;
    }
  }
  return parts;
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
  const runs: Run[] = [];
  for (const run of clusters) appendClusters(runs, run, volume, geometry);
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
  const key = `${record.number} ${instance} ${index}`;
  let unit = medium.units.get(key);
  if (unit === undefined) medium.units.set(key, (unit = unitOf(medium, packed, valid)));
  return [
    { kind: "packed", length: valid, unit, skip: 0 },
    { kind: "zero", length: size - valid },
  ];
}

/** The unit whose packed bytes lie in `packed`. */
function unitOf({ volume }: Medium, packed: readonly (Run & { kind: "at" })[], size: number): PackedUnit {
  const total = packed.reduce((sum, { length }) => sum + length, 0);
  const place = { file: volume.name, offset: packed[0]!.offset };
  return {
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

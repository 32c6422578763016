/**
 * Mapping pairs: where the clusters of a non-resident attribute lie. Each pair is a byte of two lengths, a count of
 * clusters, and the distance from the last run; a run without a distance is a hole. Source: ntfs-3g runlist.c; [Russon],
 * "NTFS Documentation", Data Runs.
 */
import { firstIndex } from "../../../bytes/integers.js";
import { CorruptError, DiskError } from "../../../errors.js";
import { MAP_LIMIT } from "../../../extent/extent.js";
import { yieldIfDue } from "../../../extent/time-slice.js";
import { attributeError, type AttributeRecord, type NonResident } from "./attribute.js";

/** In the place of the cluster of a run that is stored nowhere. Cluster 0 is not special: it is that of $Boot. */
export const HOLE = -1;

/** The runs of one attribute record, as far as they are sound. */
export interface RunTable {
  /** Where each run begins, counted in the attribute's clusters; then where the last one ends. */
  readonly vcns: readonly number[];
  /** The volume's cluster that each begins at, or HOLE. */
  readonly lcns: readonly number[];
  /** The error of the runs that are missing. */
  readonly damage?: CorruptError;
}

/** Clusters of an attribute, in order. */
export type ClusterRun =
  | { readonly kind: "at"; readonly count: number; readonly lcn: number }
  | { readonly kind: "hole"; readonly count: number }
  | { readonly kind: "damaged"; readonly count: number; readonly error: DiskError };

/** The part of an attribute that one record maps. */
export interface Segment {
  readonly firstVcn: number;
  /** Its runs, if its record is in memory. */
  peek(): RunTable | undefined;
  /** Its runs. @throws {DiskError} if the record cannot be read. */
  load(): Promise<RunTable>;
}

/** The segment from cluster `firstVcn` on whose runs are `table`. */
export function knownSegment(firstVcn: number, table: RunTable): Segment {
  return { firstVcn, peek: () => table, load: async () => table };
}

/** The runs that `attribute` holds. */
export function decodeRuns(attribute: AttributeRecord, head: NonResident, file: string): RunTable {
  const { bytes } = attribute.record;
  const end = attribute.at + attribute.length;
  const vcns = [head.firstVcn];
  const lcns: number[] = [];
  let vcn = head.firstVcn;
  let lcn = 0;
  const broken = (found: string, expected: string): RunTable => ({
    vcns,
    lcns,
    damage: attributeError(attribute, file, "the runs", found, expected),
  });
  for (let at = attribute.at + head.runsOffset; at < end && bytes[at] !== 0;) {
    const countLength = bytes[at]! & 0xf;
    const distanceLength = bytes[at]! >>> 4;
    if (
      countLength === 0 ||
      countLength > 8 ||
      distanceLength > 8 ||
      at + countLength + distanceLength >= end
    )
      return broken(
        `a pair of ${countLength} and ${distanceLength} bytes`,
        "pairs of numbers within the attribute",
      );
    const count = signed(bytes, at + 1, countLength);
    if (count <= 0 || vcn + count > head.endVcn)
      return broken(`${count} clusters from ${vcn}`, `at least one, and to end at ${head.endVcn}`);
    let place = HOLE;
    if (distanceLength > 0) {
      lcn += signed(bytes, at + 1 + countLength, distanceLength);
      // NTFS before 3.0 wrote a hole as a run at -1.
      if (lcn < HOLE || !Number.isSafeInteger(lcn)) return broken(`cluster ${lcn}`, "one of the volume");
      place = lcn;
    }
    vcn += count;
    vcns.push(vcn);
    lcns.push(place);
    at += 1 + countLength + distanceLength;
  }
  if (vcn !== head.endVcn) return broken(`${vcn} clusters`, `${head.endVcn} clusters`);
  return { vcns, lcns };
}

/** A little-endian number in two's complement; inexact past 2^53. */
function signed(bytes: Buffer, at: number, length: number): number {
  if (length <= 6) return bytes.readIntLE(at, length);
  const high = bytes.readIntLE(at + 4, length - 4);
  return high * 2 ** 32 + bytes.readUInt32LE(at);
}

/**
 * What the clusters from `vcn` on are, as `segments`, ordered by their first, tell it: `count` of them or fewer, but at
 * least one, in MAP_LIMIT runs at most. `missing` makes the error for those that no segment tells of.
 */
export async function mapClusters(
  segments: readonly Segment[],
  vcn: number,
  count: number,
  missing: (vcn: number) => DiskError,
): Promise<ClusterRun[]> {
  const runs: ClusterRun[] = [];
  const end = vcn + count;
  for (let at = vcn; at < end && runs.length < MAP_LIMIT;) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const index = lastUpTo(segments.length, (i) => segments[i]!.firstVcn, at);
    const next = Math.min(end, segments[index + 1]?.firstVcn ?? end);
    let error: DiskError | undefined;
    if (index >= 0) {
      try {
        const table = segments[index]!.peek() ?? (await segments[index]!.load());
        at = appendRuns(runs, table, at, next);
        if (runs.length >= MAP_LIMIT) break;
        error = table.damage;
      } catch (caught) {
        if (!(caught instanceof DiskError)) throw caught;
        error = caught;
      }
    }
    if (at < next) runs.push({ kind: "damaged", count: next - at, error: error ?? missing(at) });
    at = next;
  }
  return runs;
}

/** Appends what `table` knows of the clusters from `at` to `end`, until there are MAP_LIMIT runs; returns where that ends. */
function appendRuns(runs: ClusterRun[], { vcns, lcns }: RunTable, at: number, end: number): number {
  let index = lastUpTo(lcns.length, (i) => vcns[i]!, at);
  if (index < 0) return at;
  for (; index < lcns.length && at < end && runs.length < MAP_LIMIT; index++) {
    const count = Math.min(end, vcns[index + 1]!) - at;
    if (count <= 0) continue;
    const lcn = lcns[index]!;
    runs.push(lcn === HOLE ? { kind: "hole", count } : { kind: "at", count, lcn: lcn + at - vcns[index]! });
    at += count;
  }
  return at;
}

/** The last index below `length` whose value is not above `limit`; -1 if there is none. Values ascend. */
function lastUpTo(length: number, valueAt: (index: number) => number, limit: number): number {
  return firstIndex(length, (index) => valueAt(index) > limit) - 1;
}

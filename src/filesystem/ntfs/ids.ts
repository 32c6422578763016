/**
 * Node numbers. The number of a file is that of its record. Named streams, which are looked up as "file:stream", have numbers
 * behind all records: a whole range for the first stream of each file, then one for the second. The last range is for
 * names that lead to a record that belongs to another file now.
 */
import { NODE_ID_LIMIT, type NodeId } from "../filesystem.js";

export type Place =
  | { readonly kind: "file"; readonly number: number }
  /** `index` counts the named streams of the file. */
  | { readonly kind: "stream"; readonly number: number; readonly index: number }
  | { readonly kind: "stale"; readonly number: number };

/**
 * Ranges; all but two of them are for streams. A file's attribute list has 256 KiB at most, in entries of 32 bytes:
 * a file cannot have more streams.
 */
const RANGE_COUNT = 2 ** 14;

export interface NodeIds {
  /** All numbers are lower. */
  readonly limit: number;
  file(number: number): NodeId;
  stale(number: number): NodeId;
  /** Undefined if the file has too many streams. */
  stream(number: number, index: number): NodeId | undefined;
  placeOf(id: NodeId): Place;
}

/** For a table of `recordCount` records. Record 0 cannot be node 0: its place is behind the last record. */
export function nodeIds(recordCount: number): NodeIds {
  const range = recordCount + 1;
  const limit = Math.min(NODE_ID_LIMIT, range * RANGE_COUNT);
  const staleRange = Math.floor(limit / range) - 1;
  const file = (number: number): NodeId => (number === 0 ? recordCount : number);
  return {
    limit,
    file,
    stale: (number) => staleRange * range + file(number),
    stream: (number, index) => (index + 1 < staleRange ? (index + 1) * range + file(number) : undefined),
    placeOf(id) {
      const rangeIndex = Math.floor(id / range);
      const rest = id % range;
      const number = rest === recordCount ? 0 : rest;
      if (rangeIndex === 0) return { kind: "file", number };
      if (rangeIndex === staleRange) return { kind: "stale", number };
      return { kind: "stream", number, index: rangeIndex - 1 };
    },
  };
}

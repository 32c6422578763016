/**
 * Node numbers of several trees in one. Each tree gets a range as long as its own numbers reach, and keeps it. So
 * nothing has to be remembered about a single node, and its number never changes.
 */
import { firstIndex } from "../bytes/integers.js";
import { MissingError, UnsupportedError } from "../errors.js";
import type { NodeId } from "../filesystem/filesystem.js";

/** The numbers `[start, start + length)`, which belong to `of`. */
export interface Range<T> {
  readonly start: number;
  readonly length: number;
  readonly of: T;
}

export interface IdRanges<T> {
  /**
   * Adds a range that no other one overlaps.
   * @throws {UnsupportedError} if too few numbers are left.
   */
  add(length: number, of: T): Range<T>;
  /** @throws {MissingError} if `id` is in no range. */
  rangeOf(id: NodeId): Range<T>;
}

/** Integers below this are exact. */
const ID_LIMIT = 2 ** 53;

/** No ranges yet. */
export function idRanges<T>(): IdRanges<T> {
  const ranges: Range<T>[] = [];
  let end = 0;
  return {
    add(length, of) {
      if (length > ID_LIMIT - end) {
        throw new UnsupportedError({
          file: "the tree",
          thing: "the number of nodes that all file systems may have together",
          found: `${end} and ${length} more`,
          expected: `at most ${ID_LIMIT}`,
        });
      }
      const range = { start: end, length, of };
      ranges.push(range);
      end += length;
      return range;
    },
    rangeOf(id) {
      if (!(id >= 0 && id < end)) throw new MissingError(`there is no node ${id} in this tree`);
      return ranges[firstIndex(ranges.length, (index) => ranges[index]!.start > id) - 1]!;
    },
  };
}

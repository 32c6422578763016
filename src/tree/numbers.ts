/**
 * Which numbers mean the nodes of which tree. Every tree has a range as long as its own numbers reach, and keeps it:
 * nothing has to be remembered about a node, and its number never changes.
 */
import { firstIndex } from "../bytes/integers.js";
import { MissingError, UnsupportedError } from "../errors.js";
import type { NodeId } from "../filesystem/filesystem.js";

/** The numbers from `start` on that are `of` something's nodes. */
export interface Range<T> {
  readonly start: number;
  readonly length: number;
  readonly of: T;
}

export interface Numbers<T> {
  /**
   * A range that nothing else has.
   * @throws {UnsupportedError} where too few numbers are left.
   */
  add(length: number, of: T): Range<T>;
  /** @throws {MissingError} where `id` is in no range. */
  rangeOf(id: NodeId): Range<T>;
}

/** Integers are exact below. */
const NUMBER_LIMIT = 2 ** 53;

/** No ranges yet. */
export function numbers<T>(): Numbers<T> {
  const ranges: Range<T>[] = [];
  let end = 0;
  return {
    add(length, of) {
      if (length > NUMBER_LIMIT - end) {
        throw new UnsupportedError({
          file: "the tree",
          thing: "the number of nodes that all file systems may have together",
          found: `${end} and ${length} more`,
          expected: `at most ${NUMBER_LIMIT}`,
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

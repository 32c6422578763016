/** SEEK_DATA and SEEK_HOLE: a hole consists of zeros that are stored nowhere. */
import type { BlockSource } from "../../extent/extent.js";
import { mapPieces } from "../../extent/mapping.js";
import type { StopSignal } from "../../extent/time-slice.js";

/**
 * The maximum number of extents that one search passes, which takes half a second if each is a block of its own. A VDI has this many in
 * 1 TiB if none of its blocks is adjacent to the one before.
 */
export const PASSED_LIMIT = 2 ** 20;

/**
 * Finds where the next data, or the next hole, begins at or after `offset`. The end of the source is a hole. A run of zeros
 * takes one step, whatever its length; other requests are served between the steps.
 *
 * A search that has passed PASSED_LIMIT extents ends without a result: what lies behind them counts as data, which
 * lseek(2) permits. Programs read zeros there.
 * @throws {Interrupted} once `signal` is aborted.
 */
export async function findNext(
  source: BlockSource,
  offset: number,
  what: "data" | "hole",
  signal?: StopSignal,
): Promise<number> {
  let [at, passed] = [offset, 0];
  for await (const extents of mapPieces(source, offset, source.size - offset, signal)) {
    for (const { kind, length } of extents) {
      if ((kind === "zero") === (what === "hole")) return at;
      at += length;
    }
    passed += extents.length;
    if (passed >= PASSED_LIMIT) return what === "data" ? at : source.size;
  }
  return source.size;
}

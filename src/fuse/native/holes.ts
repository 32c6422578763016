/** SEEK_DATA and SEEK_HOLE: what is zero and stored nowhere is a hole. */
import type { BlockSource } from "../../extent/extent.js";
import { mapPieces } from "../../extent/mapping.js";
import type { StopSignal } from "../../extent/time-slice.js";

/**
 * Where the next data (or the next hole) of `source` begins, from `offset` on. The end of the source is a hole. A run of
 * zeros takes one step, however long it is; others are served between the steps.
 * @throws {Interrupted} once `signal` is aborted.
 */
export async function findNext(
  source: BlockSource,
  offset: number,
  what: "data" | "hole",
  signal?: StopSignal,
): Promise<number> {
  let at = offset;
  for await (const extents of mapPieces(source, offset, source.size - offset, signal)) {
    for (const { kind, length } of extents) {
      if ((kind === "zero") === (what === "hole")) return at;
      at += length;
    }
  }
  return source.size;
}

/** SEEK_DATA and SEEK_HOLE: what is zero and stored nowhere is a hole. */
import type { BlockSource } from "../../extent/extent.js";

/** Bytes that are mapped at a time: a disk has many, and who asks for the next data may have far to go. */
const STEP = 64 * 2 ** 20;

/** Where the next data (or, the other way, the next hole) of `source` begins, from `offset` on; its end is a hole. */
export async function findNext(source: BlockSource, offset: number, what: "data" | "hole"): Promise<number> {
  for (let at = offset; at < source.size; at = nextStep(at, source.size)) {
    let place = at;
    for (const { kind, length } of await source.map(at, nextStep(at, source.size) - at)) {
      if ((kind === "zero") === (what === "hole")) return place;
      place += length;
    }
  }
  return source.size;
}

/** Steps end where windows of the disk do. */
function nextStep(at: number, size: number): number {
  return Math.min(size, (Math.floor(at / STEP) + 1) * STEP);
}

/** A file's contents as runs on its volume, mapped down to the host's file. */
import { append, lengthOf, limited, MAP_LIMIT, type BlockSource, type Extent } from "./extent.js";
import { yieldIfDue } from "./time-slice.js";

/** A stretch of a file: where it lies in the volume, or `zero`, or what is wrong with it. Lengths are bytes. */
export type Run =
  | { readonly kind: "at"; readonly length: number; readonly offset: number }
  | Extract<Extent, { kind: "zero" | "packed" | "damaged" }>;

/**
 * A source of `size` bytes on `volume`. `runs` returns what the bytes from `offset` on consist of, under the terms of
 * `BlockSource.map`: in order, without gaps, `length` bytes or fewer but never nothing, in a bounded number of runs. All
 * `at` runs lie within the volume.
 */
export function runSource(
  volume: BlockSource,
  name: string,
  size: number,
  runs: (offset: number, length: number) => Promise<Run[]>,
): BlockSource {
  return {
    name,
    size,
    async map(offset, length) {
      const extents: Extent[] = [];
      for (const run of await runs(offset, length)) {
        if (run.kind !== "at") append(extents, run);
        else {
          const found = await volume.map(run.offset, run.length);
          for (const extent of found) append(extents, extent);
          if (lengthOf(found) < run.length) break;
        }
        if (extents.length >= MAP_LIMIT) break;
        const turn = yieldIfDue();
        if (turn !== undefined) await turn;
      }
      return limited(extents);
    },
  };
}

/** The part `[skip, skip + length)` of `runs`, which begin at 0. */
export function trim(runs: readonly Run[], skip: number, length: number): Run[] {
  const part: Run[] = [];
  let at = 0;
  for (const run of runs) {
    const from = Math.max(skip, at);
    const to = Math.min(skip + length, at + run.length);
    if (from < to) part.push(cut(run, from - at, to - from));
    at += run.length;
    if (at >= skip + length) break;
  }
  return part;
}

function cut(run: Run, skip: number, length: number): Run {
  if (run.kind === "at") return { ...run, offset: run.offset + skip, length };
  return run.kind === "packed" ? { ...run, skip: run.skip + skip, length } : { ...run, length };
}

/** Bytes in memory (an inline file, a resident attribute) as a source. */
export function memorySource(bytes: Buffer, name: string): BlockSource {
  const unit = { size: bytes.length, unpack: async () => bytes };
  return {
    name,
    size: bytes.length,
    map: async (skip, length) => (length === 0 ? [] : [{ kind: "packed", unit, skip, length }]),
  };
}

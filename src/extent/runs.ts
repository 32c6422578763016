/** A file's contents as runs on its volume, mapped down to the host's file. */
import { Builder } from "./builder.js";
import { lengthOf, type VolumeRun, type BlockSource, type Extent } from "./extent.js";
import { yieldIfDue } from "./time-slice.js";

/** A part of a file: its place on the volume, or zeros, or compressed, or damaged. Lengths are bytes. */
export type Run = VolumeRun | Extract<Extent, { kind: "zero" | "packed" | "damaged" }>;

/**
 * A source of `size` bytes on `volume`. `runs` returns the runs of the bytes from `offset` on, as `BlockSource.map` does:
 * in order, without gaps, `length` bytes or fewer but at least one, in a bounded number of runs. It must make sure that all
 * `at` runs lie within the volume: `addWithin` does that.
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
      const extents = new Builder<Extent>();
      for (const run of await runs(offset, length)) {
        if (run.kind !== "at") extents.add(run);
        else {
          const found = await volume.map(run.offset, run.length);
          extents.addAll(found);
          if (lengthOf(found) < run.length) break;
        }
        if (extents.isFull) break;
        const turn = yieldIfDue();
        if (turn !== undefined) await turn;
      }
      return extents.list;
    },
  };
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

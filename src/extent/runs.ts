/** A file's contents as runs on its volume, mapped down to the host's file. */
import { append, type BlockSource, type Extent } from "./extent.js";

/** A stretch of a file: where it lies in the volume, or `zero`, or what is wrong with it. Lengths are bytes. */
export type Run =
  | { readonly kind: "at"; readonly length: number; readonly offset: number }
  | Extract<Extent, { kind: "zero" | "packed" | "damaged" }>;

/**
 * A source of `size` bytes on `volume`. `runs` answers what `[offset, offset + length)` consists of: in order,
 * gapless, exactly that long, with every `at` run inside the volume.
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
        else for (const extent of await volume.map(run.offset, run.length)) append(extents, extent);
      }
      return extents;
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

/** Maps a file's contents to its clusters on the volume. */
import { Builder } from "../../extent/builder.js";
import { lengthOf, type BlockSource } from "../../extent/extent.js";
import { runSource, type Run } from "../../extent/runs.js";
import { CorruptError } from "../../errors.js";
import type { Allocation } from "./chain.js";
import { addClusters, type Heap } from "./heap.js";

/** Bytes that one call maps at most, so that it follows a bounded number of links. */
const LONGEST_MAP = 2 ** 28;

export interface ContentsFacts {
  /** How error messages name the file: "file at 0x4a20", by its entry. */
  readonly of: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes that were written; the rest of the file is zeros. */
  readonly validSize: number;
  /** Byte of the volume at which its entry begins. */
  readonly entryOffset: number;
}

/** The file's contents. They are damaged from where the chain is damaged, or where it ends too soon. */
export function contentsOf(heap: Heap, allocation: Allocation, facts: ContentsFacts): BlockSource {
  const { of, size, validSize } = facts;
  const { volume, clusterSize } = heap;
  const name = `${volume.name} ${of}`;
  return runSource(volume, name, size, async (offset, asked) => {
    if (offset >= validSize) return asked > 0 ? [{ kind: "zero", length: asked }] : [];
    const looked = Math.min(asked, validSize - offset, LONGEST_MAP);
    const { count, problem } = await allocation.reach(Math.ceil((offset + looked) / clusterSize));
    const stored = Math.max(0, Math.min(looked, count * clusterSize - offset));
    // If the clusters end earlier, this call maps the rest, too.
    const length = stored === LONGEST_MAP ? stored : asked;
    const valid = Math.min(length, validSize - offset);
    const runs = stored > 0 ? await rangeOf(heap, allocation, offset, stored) : [];
    if (lengthOf(runs) < stored) return runs;
    if (stored < valid) {
      const error = problem ?? tooFewClusters(heap, facts, count);
      runs.push({ kind: "damaged", length: valid - stored, error });
    }
    if (valid < length) runs.push({ kind: "zero", length: length - valid });
    return runs;
  });
}

/** The error for a file whose `count` clusters are too few for its size. */
export function tooFewClusters(
  { volume }: Heap,
  { of, size, entryOffset }: Omit<ContentsFacts, "validSize">,
  count: number,
): CorruptError {
  return new CorruptError({
    file: volume.name,
    offset: entryOffset,
    thing: `the number of clusters of the ${of}`,
    found: count,
    expected: `enough for its ${size} bytes`,
  });
}

/**
 * Where the bytes of an allocation from `offset` on lie on the volume: `length` bytes or fewer, but at least one. All of them lie
 * within its reach.
 */
export async function rangeOf(
  heap: Heap,
  allocation: Allocation,
  offset: number,
  length: number,
): Promise<Run[]> {
  const { clusterSize } = heap;
  const first = Math.floor(offset / clusterSize);
  const count = Math.ceil((offset + length) / clusterSize) - first;
  const runs = new Builder<Run>(offset - first * clusterSize, length);
  for (const run of await allocation.runs(first, count)) addClusters(runs, heap, run);
  return runs.list;
}

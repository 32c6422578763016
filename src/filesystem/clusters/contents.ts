/** A file's contents out of its clusters, down to the byte in the volume. */
import type { BlockSource } from "../../extent/extent.js";
import { runSource, type Run } from "../../extent/runs.js";
import { CorruptError } from "../../errors.js";
import type { Allocation } from "./chain.js";
import { onVolume, trim, type Heap } from "./heap.js";

export interface ContentsFacts {
  /** What complaints call it: "file at 0x4a20", by its entry. */
  readonly of: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes that were ever written; zeros follow. */
  readonly validSize: number;
  /** Byte of the volume where its entry lies. */
  readonly entryOffset: number;
}

/** The file's bytes; from where its clusters go wrong, or end before it does, it is damaged. */
export function contentsOf(heap: Heap, allocation: Allocation, facts: ContentsFacts): BlockSource {
  const { of, size, validSize } = facts;
  const { volume, clusterSize } = heap;
  const name = `${volume.name} ${of}`;
  return runSource(volume, name, size, async (offset, length) => {
    if (length === 0) return [];
    const { count, problem } = await allocation.reach();
    const before = (limit: number): number => Math.max(0, Math.min(length, limit - offset));
    const stored = before(Math.min(validSize, count * clusterSize));
    const missing = before(validSize) - stored;
    const runs = await rangeOf(heap, allocation, offset, stored);
    if (missing > 0) {
      const error = problem ?? tooFewClusters(heap, facts, count);
      runs.push({ kind: "damaged", length: missing, error });
    }
    const zeros = length - stored - missing;
    if (zeros > 0) runs.push({ kind: "zero", length: zeros });
    return runs;
  });
}

/** The complaint that `count` clusters are fewer than it takes. */
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

/** Where `[offset, offset + length)` of an allocation lies on the volume; all of it within reach. */
export async function rangeOf(
  heap: Heap,
  allocation: Allocation,
  offset: number,
  length: number,
): Promise<Run[]> {
  if (length === 0) return [];
  const { clusterSize } = heap;
  const first = Math.floor(offset / clusterSize);
  const count = Math.ceil((offset + length) / clusterSize) - first;
  const runs = (await allocation.runs(first, count)).flatMap((run) => onVolume(heap, run));
  return trim(runs, offset - first * clusterSize, length);
}

/**
 * The layout that FAT and exFAT share: clusters, numbered from 2, fill most of the volume, and a table of links
 * makes chains of them.
 */
import { withinMemory } from "../../bytes/memory.js";
import { cachedReader, pagePool, type CachedReader } from "../../extent/cache.js";
import { addWithin, type Builder } from "../../extent/builder.js";
import type { BlockSource } from "../../extent/extent.js";
import type { Run } from "../../extent/runs.js";
import { CorruptError } from "../../errors.js";
import type { LinkTable } from "./table.js";

/** The number of the first cluster. Source: Microsoft FAT specification (2005), section 3.5; exFAT, section 5.1. */
export const FIRST_CLUSTER = 2;

export interface Heap {
  readonly volume: BlockSource;
  /** Reads directory entries, in small pages, since directories are scattered. */
  readonly metadata: CachedReader;
  /** Bytes. */
  readonly clusterSize: number;
  readonly clusterCount: number;
  /** Byte of the volume at which cluster 2 begins. */
  readonly offset: number;
  readonly table: LinkTable;
}

/** Bytes of directory entries that are cached for one file system, and the bytes of one page. */
const METADATA_CACHE_BYTES = withinMemory(8 * 2 ** 20);
const METADATA_PAGE_BYTES = 4096;

export function heapOn(volume: BlockSource, layout: Omit<Heap, "volume" | "metadata">): Heap {
  return {
    volume,
    metadata: cachedReader(volume, pagePool(METADATA_CACHE_BYTES, METADATA_PAGE_BYTES)),
    ...layout,
  };
}

/** Consecutive clusters. */
export interface ClusterRun {
  readonly cluster: number;
  readonly count: number;
}

/** Returns true if all `count` clusters from `cluster` on exist on the volume. */
export function holds({ clusterCount }: Heap, cluster: number, count = 1): boolean {
  return cluster >= FIRST_CLUSTER && cluster + count <= FIRST_CLUSTER + clusterCount;
}

/** Byte of the volume at which `cluster` begins. */
export function clusterOffset({ offset, clusterSize }: Heap, cluster: number): number {
  return offset + (cluster - FIRST_CLUSTER) * clusterSize;
}

/** Adds the clusters of a run. If the volume is cut short, the rest is damaged. */
export function addClusters(runs: Builder<Run>, heap: Heap, { cluster, count }: ClusterRun): void {
  const thing = `clusters ${cluster} to ${cluster + count - 1}`;
  addBytes(runs, heap.volume, clusterOffset(heap, cluster), count * heap.clusterSize, thing);
}

/** Adds bytes of the volume. If it is cut short, the rest is damaged. `thing` is what error messages call them. */
export function addBytes(
  runs: Builder<Run>,
  volume: BlockSource,
  offset: number,
  length: number,
  thing: string,
): void {
  addWithin(
    runs,
    { kind: "at", offset, length },
    { end: volume.size },
    (missing) =>
      new CorruptError({
        file: volume.name,
        offset: missing,
        thing: `the end of ${thing}`,
        found: `byte ${offset + length}`,
        expected: `within the ${volume.size} bytes that there are; the volume is cut short`,
      }),
  );
}

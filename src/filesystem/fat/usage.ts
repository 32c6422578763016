/** The values of statfs(2). Free clusters are counted in the FAT, since FSInfo's number is often out of date. */
import { endianness } from "node:os";
import { DiskError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { readInto } from "../../extent/read.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import { PAGE_CLUSTERS, linkTable, Link, type LinkTable } from "../fat-common/table.js";
import { FIRST_CLUSTER } from "../fat-common/heap.js";
import type { Usage } from "../filesystem.js";
import type { Medium } from "./medium.js";

/** Bytes: 255 units of UTF-16. */
export const LONGEST_NAME = 255 * 3;

/** Clusters that are counted at a time: 1 MiB of a FAT32's table, which takes 1 GiB at most. */
const STEP = 16 * PAGE_CLUSTERS;

/** The bits of a FAT32's entry that are its link. */
const LINK_BITS = 0x0fff_ffff;

export async function usageOf({ heap, boot }: Medium): Promise<Usage> {
  const { volume, clusterSize, clusterCount } = heap;
  const { width, fatOffsets } = boot.geometry;
  // A table without a cache: reading all of it must not evict pages that are in use.
  const table = linkTable(volume, width, fatOffsets, clusterCount + FIRST_CLUSTER, 1);
  const words = width === 32 && endianness() === "LE" ? new Uint32Array(STEP) : undefined;
  let free = 0;
  let zeros = 0; // the byte of the table where zeros end that are stored nowhere: they need not be read
  for (let first = 0; first < clusterCount + FIRST_CLUSTER; first += STEP) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const end = Math.min(first + STEP, clusterCount + FIRST_CLUSTER);
    const [from, to] = [table.offsetOf(first), table.offsetOf(end)];
    if (to > zeros && to <= volume.size) {
      const [extent] = await volume.map(from, volume.size - from);
      zeros = extent?.kind === "zero" ? from + extent.length : 0;
    }
    if (to <= zeros && first > 0) {
      free += end - first;
      continue;
    }
    const part = words?.subarray(0, end - first);
    if (part !== undefined && first > 0 && to <= volume.size && (await isRead(volume, part, from)))
      free += freeIn(part);
    else free += await freeInPages(table, first, end);
  }
  return {
    blockSize: clusterSize,
    blocks: clusterCount,
    freeBlocks: free,
    availableBlocks: free,
    files: 0,
    freeFiles: 0,
    maximumNameLength: LONGEST_NAME,
  };
}

/** Reads the entries at byte `offset` into `words`; false where they cannot be read. */
async function isRead(volume: BlockSource, words: Uint32Array, offset: number): Promise<boolean> {
  try {
    await readInto(volume, new Uint8Array(words.buffer, 0, words.byteLength), offset);
    return true;
  } catch (error) {
    if (error instanceof DiskError) return false; // the pages are read from the table's copies, too
    throw error;
  }
}

function freeIn(words: Uint32Array): number {
  let count = 0;
  for (let at = 0; at < words.length; at++) if ((words[at]! & LINK_BITS) === 0) count++;
  return count;
}

/** Free clusters from `first` to before `end`, by the pages of the table. */
async function freeInPages(table: LinkTable, first: number, end: number): Promise<number> {
  let count = 0;
  for (let start = first; start < end; start += PAGE_CLUSTERS) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const links = await table.load(start / PAGE_CLUSTERS);
    for (let at = start === 0 ? FIRST_CLUSTER : 0; at < links.length; at++)
      if (links[at] === Link.free) count++;
  }
  return count;
}

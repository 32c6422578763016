/** The values of statfs(2). Free clusters are counted in the FAT, since FSInfo's number is often out of date. */
import { yieldIfDue } from "../../extent/time-slice.js";
import { PAGE_CLUSTERS, linkTable, Link } from "../fat-common/table.js";
import { FIRST_CLUSTER } from "../fat-common/heap.js";
import type { Usage } from "../filesystem.js";
import type { Medium } from "./medium.js";

/** Bytes: 255 units of UTF-16. */
export const LONGEST_NAME = 255 * 3;

export async function usageOf({ heap, boot }: Medium): Promise<Usage> {
  const { volume, clusterSize, clusterCount } = heap;
  const { width, fatOffsets } = boot.geometry;
  // A table without a cache: reading all of it must not evict pages that are in use.
  const table = linkTable(volume, width, fatOffsets, clusterCount + FIRST_CLUSTER, 1);
  let free = 0;
  let zeros = 0; // the byte of the table where zeros end that are stored nowhere: they need not be read
  for (let first = 0; first < clusterCount + FIRST_CLUSTER; first += PAGE_CLUSTERS) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const end = Math.min(first + PAGE_CLUSTERS, clusterCount + FIRST_CLUSTER);
    const [from, to] = [table.offsetOf(first), table.offsetOf(end)];
    if (to > zeros && to <= volume.size) {
      const [extent] = await volume.map(from, volume.size - from);
      zeros = extent?.kind === "zero" ? from + extent.length : 0;
    }
    if (to <= zeros && first > 0) {
      free += end - first;
      continue;
    }
    const links = await table.page(first / PAGE_CLUSTERS);
    for (let at = first === 0 ? FIRST_CLUSTER : 0; at < links.length; at++)
      if (links[at] === Link.free) free++;
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

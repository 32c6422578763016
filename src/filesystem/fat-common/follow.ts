/** Following a chain of clusters, link by link. */
import { yieldIfDue } from "../../extent/time-slice.js";
import { FIRST_CLUSTER, type Heap } from "./heap.js";
import { PAGE_CLUSTERS, type LinkPage } from "./table.js";

/** Where a walk along a chain ended. */
export interface ChainEnd {
  /** The last cluster that was visited. */
  readonly cluster: number;
  /** Its link, where that leads to no cluster; else undefined. */
  readonly link?: number;
  /** What ended the walk: that link, `limit`, or `visit`. */
  readonly kind: "link" | "limit" | "stopped";
}

/** Links that are followed between two looks at the clock. */
const STEPS = 2 ** 12;

/**
 * Calls `visit` for the clusters of a chain from `first`, which is a cluster of the volume, until `visit` returns true, `limit` clusters
 * were visited or the chain ends. Lets others run meanwhile.
 * @throws {DiskError} if the table cannot be read.
 */
export async function follow(
  heap: Heap,
  first: number,
  limit: number,
  visit: (cluster: number) => boolean,
): Promise<ChainEnd> {
  const { table, clusterCount } = heap;
  const end = FIRST_CLUSTER + clusterCount;
  let links: LinkPage | undefined;
  let start = 0; // the cluster of links[0]
  for (let cluster = first, left = limit; ;) {
    if (visit(cluster)) return { cluster, kind: "stopped" };
    if (--left <= 0) return { cluster, kind: "limit" };
    if (left % STEPS === 0) {
      const turn = yieldIfDue();
      if (turn !== undefined) await turn;
    }
    if (links === undefined || cluster < start || cluster >= start + links.length) {
      const index = Math.floor(cluster / PAGE_CLUSTERS);
      links = table.peek(index);
      if (links === undefined) {
        const turn = yieldIfDue();
        if (turn !== undefined) await turn;
        links = await table.load(index);
      }
      start = index * PAGE_CLUSTERS;
    }
    const link = links[cluster - start]!;
    if (link < FIRST_CLUSTER || link >= end) return { cluster, link, kind: "link" };
    cluster = link;
  }
}

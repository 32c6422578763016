/** Chains that come back into themselves: noticing it, and finding where. */
import { yieldIfDue } from "../../extent/time-slice.js";
import type { Heap } from "./heap.js";
import { PAGE_CLUSTERS, type LinkPage } from "./table.js";

/** Clusters of a chain that must be visited to know that its first `count` have no loop: Brent's algorithm notices one that closes within n clusters after 3 n + 2. */
export const clustersToProve = (count: number): number => 3 * count + 2;

/** How many clusters at the beginning of a chain have no loop, after `walked` were visited and none was noticed. */
export const provenClusters = (walked: number): number => Math.max(0, Math.floor((walked - 2) / 3));

export class LoopDetector {
  #milestone = -1;
  #power = 1;
  /** Clusters since the milestone; once the loop is closed, the clusters of the loop. */
  length = 0;

  /** Returns true if `cluster`, the next one of a chain, is a repeat. It detects a loop only some clusters after it closes. */
  closes(cluster: number): boolean {
    if (this.#milestone >= 0) this.length++;
    if (cluster === this.#milestone) return true;
    if (this.#milestone < 0 || this.length === this.#power) {
      this.#milestone = cluster;
      this.#power *= 2;
      this.length = 0;
    }
    return false;
  }
}

/** Links that are followed between two checks of the clock. */
const STEPS = 2 ** 12;

/**
 * The last cluster of a chain before it comes back into itself, and how many there are until then: two walks, one
 * of them ahead by the loop's `length`, meet where the loop begins.
 */
export async function tailOfLoop(
  heap: Heap,
  first: number,
  length: number,
): Promise<{ index: number; cluster: number }> {
  const ahead = new Cursor(heap, first);
  const behind = new Cursor(heap, first);
  let tail = first;
  let index = 0;
  while (index < length || behind.cluster !== ahead.cluster) {
    if (index % STEPS === 0) {
      const turn = yieldIfDue();
      if (turn !== undefined) await turn;
    }
    if (index >= length && !behind.step()) await behind.load();
    tail = ahead.cluster;
    if (!ahead.step()) await ahead.load();
    index++;
  }
  return { index, cluster: tail };
}

/** A place in a chain. */
class Cursor {
  readonly #heap: Heap;
  #links: LinkPage | undefined;
  #start = 0; // the cluster of #links[0]
  cluster: number;

  constructor(heap: Heap, cluster: number) {
    this.#heap = heap;
    this.cluster = cluster;
  }

  /** Goes to the next cluster; returns false if `load` has to do it. */
  step(): boolean {
    const link = this.#links?.[this.cluster - this.#start];
    if (link === undefined) return false;
    this.cluster = link;
    return true;
  }

  /** Goes to the next cluster, whose link lies on another page of the table. */
  async load(): Promise<void> {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const index = Math.floor(this.cluster / PAGE_CLUSTERS);
    this.#links = await this.#heap.table.load(index);
    this.#start = index * PAGE_CLUSTERS;
    this.cluster = this.#links[this.cluster - this.#start]!;
  }
}

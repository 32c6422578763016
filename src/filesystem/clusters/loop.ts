/** Chains that come back into themselves: noticing it, and finding where. */
import type { Heap } from "./heap.js";
import { PAGE_CLUSTERS } from "./table.js";

/** A loop that closes within n clusters is noticed within 3 n + 2 (Brent's algorithm). */
export const LOOP_FACTOR = 5;

export class LoopDetector {
  #milestone = -1;
  #power = 1;
  /** Clusters since the milestone; of the loop, once it is closed. */
  length = 0;

  /** Whether `cluster`, the next one of a chain, was there before; not at once, but some time after. */
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

/**
 * The last cluster of a chain before it comes back into itself, and how many there are until then: two walks, one
 * of them ahead by the loop's `length`, meet where the loop begins.
 */
export async function tailOfLoop(
  heap: Heap,
  first: number,
  length: number,
): Promise<{ index: number; cluster: number }> {
  let ahead = first;
  let tail = first;
  for (let i = 0; i < length; i++) {
    tail = ahead;
    ahead = await next(heap, ahead);
  }
  let index = length;
  for (let behind = first; behind !== ahead; index++) {
    behind = await next(heap, behind);
    tail = ahead;
    ahead = await next(heap, ahead);
  }
  return { index, cluster: tail };
}

async function next({ table }: Heap, cluster: number): Promise<number> {
  const page = table.page(Math.floor(cluster / PAGE_CLUSTERS));
  return (page instanceof Promise ? await page : page)[cluster % PAGE_CLUSTERS]!;
}

/**
 * The chains of a volume, cut into segments. Chains that meet are one from there on: a segment ends where its chain meets one
 * that was walked before. So each link is followed once, however many entries claim its cluster.
 */
import { DiskError } from "../../errors.js";
import { ClusterSet } from "./cluster-set.js";
import { follow } from "./follow.js";
import { holds, type Heap } from "./heap.js";
import { Link } from "./table.js";

/** No cluster has this number. */
export const NONE = 0;

export class Segments {
  /** The first cluster of each segment, and how many clusters it has. */
  readonly firsts: number[] = [];
  readonly lengths: number[] = [];
  /** The cluster of this or an earlier segment that follows the last one; NONE where the chain ends. */
  readonly joins: number[] = [];
  /** Whether the chain has a proper end behind the segment; decided by the segment that it joins, if any. */
  readonly hasEnd: boolean[] = [];
  /** All clusters of all segments. */
  readonly clusters: ClusterSet;
  /** True if two chains have met, or one itself. */
  haveMet = false;
  readonly #heap: Heap;

  /** `heap`: keeps the pages of its table, which are needed again. */
  constructor(heap: Heap) {
    this.#heap = heap;
    this.clusters = new ClusterSet(heap.clusterCount);
  }

  /** Adds the chain that begins at `first`, down to its end. */
  async add(first: number): Promise<void> {
    if (!holds(this.#heap, first)) return;
    if (this.clusters.has(first)) {
      this.haveMet = true;
      return;
    }
    let length = 0;
    let join = NONE;
    let hasEnd = false;
    try {
      const { cluster, link } = await follow(this.#heap, first, this.#heap.clusterCount + 1, (at) => {
        if (this.clusters.has(at)) join = at;
        else this.clusters.add(at);
        if (join === NONE) length++;
        return join !== NONE;
      });
      hasEnd = link === Link.end;
      if (link === Link.free || link === Link.bad) {
        this.clusters.delete(cluster); // free and bad clusters belong to no file
        length--;
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error; // the last link cannot be read
    }
    if (length === 0) return;
    if (join !== NONE) this.haveMet = true;
    this.firsts.push(first);
    this.lengths.push(length);
    this.joins.push(join);
    this.hasEnd.push(hasEnd);
  }

  /** Calls `visit` for the clusters of segment `index`, from the first to the last. */
  async walk(index: number, visit: (cluster: number) => void): Promise<void> {
    if (this.lengths[index] === 1) {
      visit(this.firsts[index]!);
      return;
    }
    await follow(this.#heap, this.firsts[index]!, this.lengths[index]!, (cluster) => {
      visit(cluster);
      return false;
    });
  }
}

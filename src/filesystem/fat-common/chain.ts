/**
 * The chain of a file's clusters. A chain is followed as far as a read needs, and no part of it twice: at regular distances
 * (the stride), the cluster is remembered as a mark, so that any known place is near a mark. So a file takes little memory
 * however fragmented it is, and the first read of a long file costs little.
 */
import { MAP_LIMIT } from "../../extent/extent.js";
import { CorruptError, DiskError, HostError } from "../../errors.js";
import { follow, type ChainEnd } from "./follow.js";
import { FIRST_CLUSTER, holds, type ClusterRun, type Heap } from "./heap.js";
import { clustersToProve, LoopDetector, provenClusters, tailOfLoop } from "./loop.js";
import { Link } from "./table.js";

/** How much of an allocation can be read. */
export interface Reach {
  /** Clusters: as many as the caller needs, or more, or all that there are. */
  readonly count: number;
  /** Why there are no more, where the allocation should be longer. */
  readonly problem?: DiskError;
}

/** How much of an allocation can be read in all. */
export interface WholeReach extends Reach {
  /** True if the chain is exactly as long as its owner says; for an owner that states no length, if the chain has an end. */
  readonly isExact: boolean;
}

export interface Allocation {
  /** Returns how many clusters can be read. Follows the chain only as far as it takes to check the first `needed`. */
  reach(needed: number): Promise<Reach>;
  /** Returns how many clusters can be read, after following the whole chain. */
  whole(): Promise<WholeReach>;
  /** Returns the runs of the clusters from `index` on: of `count` or fewer, at least one, in MAP_LIMIT runs at most. All must lie within `reach`. */
  runs(index: number, count: number): Promise<readonly ClusterRun[]>;
}

/** The first cluster of a chain and how many clusters belong to it. */
export interface ChainStart {
  readonly first: number;
  /** Clusters that belong to the owner; what follows them in the chain has no meaning. */
  readonly wanted: number;
  /** True if the owner states no length: the chain's own end is its end, and `wanted` is the most that is read. */
  readonly isOpenEnded?: boolean;
  /** What error messages call the owner: "directory at 0x4a20". */
  readonly of: string;
}

/** Marks of a chain at most. If there would be more, every second one is dropped, and the stride doubles. */
const MARK_LIMIT = 2 ** 15;
const FIRST_STRIDE = 64;

/** The least number of clusters that one walk follows: the table is read in pages anyway. */
const LEAST_WALK = 2 ** 12;

/** The clusters of the chain that begins at `start`. */
export function chain(heap: Heap, start: ChainStart): Allocation {
  return new Chain(heap, start);
}

class Chain implements Allocation {
  readonly #heap: Heap;
  readonly #start: ChainStart;
  #marks: number[] = [];
  #stride = FIRST_STRIDE;
  /** Clusters at the beginning of the chain that are contiguous. */
  #contiguousCount = 0;
  /** The number of clusters that were visited, and the last one. */
  #walked = 0;
  #last: number;
  readonly #loop = new LoopDetector();
  #whole: WholeReach | undefined;
  /** The walk in progress. */
  #walking: Promise<WholeReach | undefined> | undefined;

  constructor(heap: Heap, start: ChainStart) {
    this.#heap = heap;
    this.#start = start;
    this.#last = start.first;
    if (start.wanted === 0) this.#whole = { count: 0, isExact: true };
    else if (!holds(heap, start.first))
      this.#whole = { count: 0, problem: startError(heap, start.first, start.of), isExact: false };
  }

  async reach(needed: number): Promise<Reach> {
    const count = Math.min(needed, this.#start.wanted);
    while (this.#whole === undefined && provenClusters(this.#walked) < count) {
      const failed = await this.#walk(count);
      if (failed !== undefined) return failed;
    }
    return this.#whole ?? { count: provenClusters(this.#walked) };
  }

  async whole(): Promise<WholeReach> {
    while (this.#whole === undefined) {
      const failed = await this.#walk(this.#start.wanted);
      if (failed !== undefined) return failed;
    }
    return this.#whole;
  }

  async runs(index: number, count: number): Promise<readonly ClusterRun[]> {
    const { first } = this.#start;
    const inRow = Math.max(0, Math.min(count, this.#contiguousCount - index));
    const runs: { cluster: number; count: number }[] =
      inRow > 0 ? [{ cluster: first + index, count: inRow }] : [];
    if (inRow === count) return runs;
    const from = index + inRow;
    const mark = Math.floor(from / this.#stride);
    let at = mark * this.#stride;
    await follow(this.#heap, this.#marks[mark]!, index + count - at, (cluster) => {
      if (at++ < from) return false;
      const last = runs.at(-1);
      if (last !== undefined && last.cluster + last.count === cluster) last.count++;
      else if (runs.length === MAP_LIMIT) return true;
      else runs.push({ cluster, count: 1 });
      return false;
    });
    return runs;
  }

  /**
   * Continues the walk until the first `needed` clusters are checked, but at least LEAST_WALK clusters. If the host fails, returns
   * what can be read now; the next attempt may succeed.
   */
  #walk(needed: number): Promise<WholeReach | undefined> {
    this.#walking ??= this.#walkOn(needed).finally(() => {
      this.#walking = undefined;
    });
    return this.#walking;
  }

  async #walkOn(needed: number): Promise<WholeReach | undefined> {
    const target = Math.max(clustersToProve(needed), this.#walked + LEAST_WALK);
    let isVisited = this.#walked > 0; // the walk goes on from the last cluster
    const limit = target - this.#walked + Number(isVisited);
    try {
      const end = await follow(this.#heap, this.#last, limit, (cluster) => {
        if (isVisited) return (isVisited = false);
        this.#last = cluster;
        return this.#visit(cluster);
      });
      if (end.kind !== "limit") this.#whole = await this.#ended(end);
      else if (this.#walked >= clustersToProve(this.#start.wanted)) this.#whole = this.#tooLong();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      const count = Math.min(this.#walked, this.#start.wanted);
      const cut = { count, problem: error, isExact: false };
      if (error instanceof HostError) return cut;
      this.#whole = this.#walked < this.#start.wanted ? cut : this.#tooLong();
    }
    return undefined;
  }

  /** Returns true to stop the walk: the chain is a loop. */
  #visit(cluster: number): boolean {
    const index = this.#walked++;
    if (index < this.#start.wanted) {
      if (this.#contiguousCount === index && cluster === this.#start.first + index) this.#contiguousCount++;
      if (index % this.#stride === 0) this.#marks.push(cluster);
      if (this.#marks.length > MARK_LIMIT) {
        this.#marks = this.#marks.filter((_, place) => place % 2 === 0);
        this.#stride *= 2;
      }
    }
    return this.#loop.closes(cluster);
  }

  /** Returns what can be read of a chain that ended in `end`: a damaged chain can be read up to the damage. */
  async #ended(end: ChainEnd): Promise<WholeReach> {
    const { wanted, isOpenEnded, of, first } = this.#start;
    const walked = this.#walked;
    const cut = (count: number, problem: DiskError): WholeReach => ({ count, problem, isExact: false });
    if (end.kind === "stopped") {
      const tail = await tailOfLoop(this.#heap, first, this.#loop.length);
      if (tail.index >= wanted) return this.#tooLong();
      return cut(tail.index, linkError(this.#heap, tail.cluster, "a cluster before it", of));
    }
    const { link, cluster } = end;
    if (walked <= wanted && (link === Link.free || link === Link.bad)) {
      // The chain must not lead here: this cluster belongs to no file.
      return cut(walked - 1, markError(this.#heap, cluster, link, of));
    }
    if (walked < wanted && link !== Link.end) return cut(walked, linkError(this.#heap, cluster, link, of));
    const isExact = link === Link.end && (walked === wanted || (isOpenEnded === true && walked < wanted));
    return isOpenEnded === true && walked > wanted
      ? this.#tooLong()
      : { count: Math.min(walked, wanted), isExact };
  }

  /** Returns what can be read of a chain that is longer than its owner. */
  #tooLong(): WholeReach {
    const { wanted, isOpenEnded, first, of } = this.#start;
    const problem = isOpenEnded === true ? lengthError(this.#heap, first, wanted, of) : undefined;
    return { count: wanted, isExact: false, ...(problem && { problem }) };
  }
}

/** `wanted` clusters from `first` on, without a chain: exFAT's NoFatChain. */
export function contiguous(heap: Heap, { first, wanted, of }: ChainStart): Allocation {
  const there = holds(heap, first) ? Math.min(wanted, FIRST_CLUSTER + heap.clusterCount - first) : 0;
  const whole: WholeReach =
    there === wanted
      ? { count: wanted, isExact: true }
      : { count: there, problem: startError(heap, first + there, of), isExact: false };
  return {
    reach: async () => whole,
    whole: async () => whole,
    runs: async (index, count) => [{ cluster: first + index, count }],
  };
}

function startError({ volume, clusterCount }: Heap, cluster: number, of: string): CorruptError {
  return new CorruptError({
    file: volume.name,
    thing: `a cluster of the ${of}`,
    found: cluster,
    expected: `from ${FIRST_CLUSTER} to ${FIRST_CLUSTER + clusterCount - 1}`,
  });
}

function markError({ volume, table }: Heap, cluster: number, mark: number, of: string): CorruptError {
  return new CorruptError({
    file: volume.name,
    offset: table.offsetOf(cluster),
    thing: `the FAT's mark of cluster ${cluster}, to which the chain of the ${of} leads,`,
    found: mark === Link.free ? "free" : "bad",
    expected: "in use",
  });
}

function linkError(heap: Heap, cluster: number, link: number | string | undefined, of: string): CorruptError {
  return new CorruptError({
    file: heap.volume.name,
    offset: heap.table.offsetOf(cluster),
    thing: `the FAT's link from cluster ${cluster} of the ${of}`,
    ...(link !== undefined && { found: link }),
    expected: `the chain's end or another cluster up to ${FIRST_CLUSTER + heap.clusterCount - 1}`,
  });
}

function lengthError(heap: Heap, first: number, limit: number, of: string): CorruptError {
  return new CorruptError({
    file: heap.volume.name,
    offset: heap.table.offsetOf(first),
    thing: `the number of clusters of the ${of}`,
    found: `more than ${limit}`,
    expected: `at most ${limit}`,
  });
}

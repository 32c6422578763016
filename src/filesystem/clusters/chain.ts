/**
 * Which clusters a file has, in order. A chain is followed once from end to end, which tells where it goes wrong;
 * every so many clusters a mark is kept, from which any place in it is near. So a file takes little memory however
 * many pieces it is in.
 */
import { CorruptError, DiskError, HostError } from "../../errors.js";
import { FIRST_CLUSTER, holds, type ClusterRun, type Heap } from "./heap.js";
import { LOOP_FACTOR, LoopDetector, tailOfLoop } from "./loop.js";
import { Link, PAGE_CLUSTERS, type LinkPage } from "./table.js";

/** How much of an allocation can be had, in clusters; `problem` says why there is no more. */
export interface Reach {
  readonly count: number;
  readonly problem?: DiskError;
  /** Whether it is as long as was wanted, no more and no less; of what has no length of its own, whether it ends. */
  readonly isExact: boolean;
}

export interface Allocation {
  reach(): Promise<Reach>;
  /** Where clusters `[index, index + count)` are, all within `reach`. */
  runs(index: number, count: number): Promise<readonly ClusterRun[]>;
}

/** Marks a chain keeps at most; where there would be more, every other one is dropped. */
const MARK_LIMIT = 2 ** 15;
const FIRST_STRIDE = 64;

/**
 * The chain that begins at cluster `first`, as far as `wanted` clusters; what follows them is nobody's concern.
 * @param of what complaints call its owner: "directory at 0x4a20".
 */
export function chain(heap: Heap, first: number, wanted: number, of: string): Allocation {
  let marks: number[] = [];
  let stride = FIRST_STRIDE;
  let isOneRun = true;
  let measured: Promise<Reach> | undefined;

  async function measure(): Promise<Reach> {
    marks = [];
    stride = FIRST_STRIDE;
    isOneRun = true;
    if (wanted === 0) return { count: 0, isExact: true };
    if (!holds(heap, first)) return { count: 0, problem: startError(heap, first, of), isExact: false };
    let index = 0;
    const loop = new LoopDetector();
    // A loop shows itself only after it has been gone round; what follows `wanted` clusters is looked at for that.
    const end = await follow(heap, first, wanted * LOOP_FACTOR, (cluster) => {
      if (index < wanted) {
        if (cluster !== first + index) isOneRun = false;
        if (index % stride === 0) marks.push(cluster);
        if (marks.length > MARK_LIMIT) {
          marks = marks.filter((_, place) => place % 2 === 0);
          stride *= 2;
        }
      }
      index++;
      return loop.closes(cluster);
    }).catch((error: unknown) => {
      if (error instanceof DiskError) return error;
      throw error;
    });
    if (end instanceof DiskError) {
      if (index < wanted) return { count: index, problem: end, isExact: false };
    } else if (end.stopped) {
      const tail = await tailOfLoop(heap, first, loop.length);
      if (tail.index < wanted) {
        const problem = linkError(heap, tail.cluster, "a cluster before it", of);
        return { count: tail.index, problem, isExact: false };
      }
    } else if (index <= wanted && (end.link === Link.free || end.link === Link.bad)) {
      // The chain should not have come here: what lies in this cluster is no file's.
      return { count: index - 1, problem: markError(heap, end.cluster, end.link, of), isExact: false };
    } else if (index < wanted && end.link !== Link.end) {
      return { count: index, problem: linkError(heap, end.cluster, end.link, of), isExact: false };
    }
    const hasEnd = !(end instanceof DiskError) && end.link === Link.end;
    const isExact = hasEnd && (index === wanted || wanted >= heap.clusterCount);
    return { count: Math.min(index, wanted), isExact };
  }

  return {
    reach() {
      measured ??= measure().then((reach) => {
        if (reach.problem instanceof HostError) measured = undefined; // it may have failed only for once
        return reach;
      });
      return measured;
    },
    async runs(index, count) {
      if (count === 0) return [];
      if (isOneRun) return [{ cluster: first + index, count }];
      const runs: { cluster: number; count: number }[] = [];
      const mark = Math.floor(index / stride);
      let at = mark * stride;
      await follow(heap, marks[mark]!, index + count - at, (cluster) => {
        if (at++ < index) return false;
        const last = runs.at(-1);
        if (last !== undefined && last.cluster + last.count === cluster) last.count++;
        else runs.push({ cluster, count: 1 });
        return false;
      });
      return runs;
    },
  };
}

/** `wanted` clusters from `first` on, without a chain: exFAT's NoFatChain. */
export function contiguous(heap: Heap, first: number, wanted: number, of: string): Allocation {
  const there = holds(heap, first) ? Math.min(wanted, FIRST_CLUSTER + heap.clusterCount - first) : 0;
  const reach: Reach =
    there === wanted
      ? { count: wanted, isExact: true }
      : { count: there, problem: startError(heap, first + there, of), isExact: false };
  return {
    reach: async () => reach,
    runs: async (index, count) => (count === 0 ? [] : [{ cluster: first + index, count }]),
  };
}

/** Where following a chain ended: at the cluster whose link is no cluster's number, or where it was enough. */
export interface ChainEnd {
  readonly cluster: number;
  /** Of `cluster`; undefined where it was not needed. */
  readonly link?: number;
  /** Whether `visit` had it stopped. */
  readonly stopped: boolean;
}

/** Calls `visit` for the clusters of a chain, `limit` at most, until it answers true. `first` must be a cluster. */
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
    if (visit(cluster)) return { cluster, stopped: true };
    if (--left === 0) return { cluster, stopped: false };
    if (links === undefined || cluster < start || cluster >= start + links.length) {
      const index = Math.floor(cluster / PAGE_CLUSTERS);
      const page = table.page(index);
      links = page instanceof Promise ? await page : page;
      start = index * PAGE_CLUSTERS;
    }
    const link = links[cluster - start]!;
    if (link < FIRST_CLUSTER || link >= end) return { cluster, link, stopped: false };
    cluster = link;
  }
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

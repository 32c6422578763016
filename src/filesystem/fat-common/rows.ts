/** Claims of clusters that lie one behind the other and have no links: exFAT's NoFatChain. */
import type { ClaimList } from "./claims.js";
import { ClusterCounts, type ClusterSet } from "./cluster-set.js";
import { FIRST_CLUSTER, holds, type ClusterRun, type Heap } from "./heap.js";

export interface Rows {
  /** Of files all of whose clusters are clusters of the volume. */
  readonly exact: readonly ClusterRun[];
  readonly doubtful: readonly ClusterRun[];
}

/** A claim's first cluster and its number in one value that sorts as they do: a volume whose claims are read has 2^24 clusters at most. */
const INDEX_LIMIT = 2 ** 28;

/** The clusters that `claims` cover: once or twice each, however many claims there are. */
export function rowsOf(heap: Heap, { firsts, wanted }: ClaimList): Rows {
  const end = FIRST_CLUSTER + heap.clusterCount;
  const keys = new Float64Array(firsts.length);
  for (const [index, first] of firsts.entries()) keys[index] = first * INDEX_LIMIT + index;
  const [exact, doubtful] = [new Cover(), new Cover()];
  for (const key of keys.sort()) {
    const index = key % INDEX_LIMIT;
    const first = firsts[index]!;
    if (!holds(heap, first)) continue;
    const last = first + wanted[index]!;
    (last <= end ? exact : doubtful).add(first, Math.min(last, end));
  }
  return { exact: exact.runs, doubtful: doubtful.runs };
}

/** Runs that come by their first clusters; what two of them have is left out of the others. */
class Cover {
  readonly runs: ClusterRun[] = [];
  /** Where what was covered once, and twice, ends. */
  #once = 0;
  #twice = 0;

  add(first: number, end: number): void {
    const again = Math.min(end, this.#once);
    this.#push(Math.max(first, this.#twice), again);
    this.#push(Math.max(first, this.#once), end);
    this.#twice = Math.max(this.#twice, again);
    this.#once = Math.max(this.#once, end);
  }

  #push(cluster: number, end: number): void {
    if (cluster < end) this.runs.push({ cluster, count: end - cluster });
  }
}

/** Returns true if no cluster is in two runs of `rows`, or in one and in `others`. */
export function areApart({ exact, doubtful }: Rows, others: ClusterSet, { clusterCount }: Heap): boolean {
  if (exact.length + doubtful.length === 0) return true;
  const counts = new ClusterCounts(clusterCount);
  for (const rows of [exact, doubtful]) {
    for (const run of rows) {
      counts.addRun(run);
      if (others.firstIn(run) < run.cluster + run.count) return false;
    }
  }
  return counts.twice.isEmpty;
}

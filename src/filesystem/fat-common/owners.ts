/**
 * Clusters that more than one file has (cross-links). No cluster says whose it is, so the whole tree is gone through
 * once, when the first file is read. Of files that share a cluster, those count as its owners whose number of
 * clusters fits their size exactly. One owner keeps it, and for the others it is damaged; of several, each may be
 * the wrong one, and it is damaged for all.
 */
import { CorruptError } from "../../errors.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import type { Allocation, WholeReach } from "./chain.js";
import { claimsOf, type Claimants } from "./claims.js";
import type { ClusterSet } from "./cluster-set.js";
import { coverageOf } from "./coverage.js";
import { clusterOffset, type Heap } from "./heap.js";
import { areApart, rowsOf } from "./rows.js";
import { Segments } from "./segments.js";

/**
 * Clusters up to which it is done: to go through the links of so many takes about a second. A larger volume's
 * cross-links are not seen.
 */
const CLUSTER_LIMIT = 2 ** 24;

/** The clusters that cannot be read: by the files whose length is exact, and by the others. */
interface Disputed {
  readonly exact: ClusterSet;
  readonly doubtful: ClusterSet;
}

/** Gives each file only the clusters that are its own. */
export interface Owners {
  restrict(allocation: Allocation, of: string): Allocation;
}

/** Claims that are worked on between two looks at the clock. */
const STEPS = 2 ** 10;

export function owners(claimants: Claimants): Owners {
  const { heap } = claimants;
  let disputed: Promise<Disputed | undefined> | undefined;

  async function restricted(
    allocation: Allocation,
    { exact, doubtful }: Disputed,
    of: string,
  ): Promise<WholeReach> {
    const whole = await allocation.whole();
    const set = whole.isExact ? exact : doubtful;
    for (let index = 0; index < whole.count;) {
      const turn = yieldIfDue();
      if (turn !== undefined) await turn;
      for (const run of await allocation.runs(index, whole.count - index)) {
        const own = set.firstIn(run) - run.cluster;
        index += own;
        if (own < run.count) {
          return { count: index, problem: crossError(heap, run.cluster + own, of), isExact: false };
        }
      }
    }
    return whole;
  }

  return {
    restrict(allocation, of) {
      if (heap.clusterCount > CLUSTER_LIMIT) return allocation;
      let own: Promise<WholeReach> | undefined;
      /** Undefined where nothing is in dispute. */
      const ownReach = async (): Promise<WholeReach | undefined> => {
        const sets = await (disputed ??= survey(claimants));
        if (sets === undefined) return undefined;
        own ??= restricted(allocation, sets, of).catch((error: unknown) => {
          own = undefined; // the host may have failed only for once
          throw error;
        });
        return own;
      };
      return {
        reach: async (needed) => (await ownReach()) ?? allocation.reach(needed),
        whole: async () => (await ownReach()) ?? allocation.whole(),
        runs: (index, count) => allocation.runs(index, count),
      };
    },
  };
}

function crossError(heap: Heap, cluster: number, of: string): CorruptError {
  return new CorruptError({
    file: heap.volume.name,
    offset: clusterOffset(heap, cluster),
    thing: `cluster ${cluster} of the ${of}`,
    found: "another's, too",
    expected: "its own; the FAT's chains are cross-linked",
  });
}

/** Undefined where no cluster has two claims, or that cannot be found out. */
async function survey(claimants: Claimants): Promise<Disputed | undefined> {
  const heap = { ...claimants.heap, table: claimants.heap.table.keeping() };
  const claims = await claimsOf({ ...claimants, heap });
  if (claims === undefined) return undefined;
  const segments = new Segments(heap);
  for (const [index, first] of claims.chained.firsts.entries()) {
    if (index % STEPS === 0) await yieldIfDue();
    await segments.add(first);
  }
  const rows = rowsOf(heap, claims.contiguous);
  if (!segments.haveMet && areApart(rows, segments.clusters, heap)) return undefined;
  const { exact, doubtful } = await coverageOf(heap, segments, claims.chained);
  for (const run of rows.exact) exact.addRun(run);
  for (const run of rows.doubtful) doubtful.addRun(run);
  doubtful.twice.join(exact.once);
  return { exact: exact.twice, doubtful: doubtful.twice };
}

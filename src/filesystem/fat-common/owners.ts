/**
 * Clusters that more than one file has (cross-links). A cluster does not name its file, so the whole directory tree
 * is read once, before the first file is read. Of the files that share a cluster, those whose number of clusters fits
 * their size exactly count as its owners. A single owner keeps it, and the others are damaged there; if there are several
 * owners, or none, all are damaged there.
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
 * Clusters of a volume that is searched, at most: following so many links takes about a second. Cross-links of
 * larger volumes are not found.
 */
const CLUSTER_LIMIT = 2 ** 24;

/** The clusters that files must not read: files whose number of clusters fits their size, and all others. */
interface Disputed {
  readonly exact: ClusterSet;
  readonly doubtful: ClusterSet;
}

/** Limits each file to the clusters that are its own. */
export interface Owners {
  restrict(allocation: Allocation, of: string): Allocation;
}

/** Claims that are processed between two checks of the time slice. */
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
      /** Undefined if no cluster has two claims. */
      const ownReach = async (): Promise<WholeReach | undefined> => {
        const sets = await (disputed ??= survey(claimants));
        if (sets === undefined) return undefined;
        own ??= restricted(allocation, sets, of).catch((error: unknown) => {
          own = undefined; // a failure of the host may be temporary
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
    found: "in another file, too",
    expected: "in one file only; the FAT's chains are cross-linked",
  });
}

/** Undefined if no cluster has two claims, or if the tree is too large to search. */
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

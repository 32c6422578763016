/**
 * Clusters that more than one file has (cross-links). No cluster says whose it is, so the whole tree is gone through
 * once, when the first file is read. Of files that share a cluster, those count as its owners whose number of
 * clusters fits their size exactly. One owner keeps it, and for the others it is damaged; of several, each may be
 * the wrong one, and it is damaged for all.
 */
import { setImmediate } from "node:timers/promises";
import { CorruptError, DiskError, HostError } from "../../errors.js";
import type { NodeId } from "../filesystem.js";
import type { Allocation, Reach } from "./chain.js";
import { entriesOf, type Directory, type EntryParser } from "./directory.js";
import { clusterOffset, type ClusterRun, type Heap } from "./heap.js";
import { clustersOf, ROOT_ID, type ClusterNode } from "./node.js";

/**
 * Clusters up to which it is done: going through the links of so many takes about a second. A larger volume's
 * cross-links are not seen.
 */
const CLUSTER_LIMIT = 2 ** 24;

/** How the tree is gone through. */
export interface Surveyed {
  readonly heap: Heap;
  readonly newParser: () => EntryParser;
  readonly readNode: (id: NodeId) => Promise<ClusterNode>;
  readonly directory: (id: NodeId) => Promise<Directory>;
  /** The file system's own, which are in no directory. */
  readonly reserved: readonly Allocation[];
}

/** The clusters that cannot be had: by those whose length is exact, and by the others. */
interface Disputed {
  readonly exact: ClusterSet;
  readonly doubtful: ClusterSet;
}

/** Gives each file only the clusters that are its own. */
export interface Owners {
  restrict(allocation: Allocation, of: string): Allocation;
}

export function owners(surveyed: Surveyed): Owners {
  const { heap } = surveyed;
  let disputed: Promise<Disputed | undefined> | undefined;

  async function restricted(allocation: Allocation, of: string): Promise<Reach> {
    const reach = await allocation.reach();
    if (heap.clusterCount > CLUSTER_LIMIT || reach.count === 0) return reach;
    const sets = await (disputed ??= survey(surveyed));
    const set = reach.isExact ? sets?.exact : sets?.doubtful;
    if (set === undefined || set.isEmpty) return reach;
    let count = 0;
    for (const run of await allocation.runs(0, reach.count)) {
      const own = set.firstIn(run) - run.cluster;
      count += own;
      if (own < run.count) {
        return { count, problem: crossError(heap, run.cluster + own, of), isExact: false };
      }
    }
    return reach;
  }

  return {
    restrict(allocation, of) {
      let reach: Promise<Reach> | undefined;
      return {
        reach: () =>
          (reach ??= restricted(allocation, of).then((found) => {
            if (found.problem instanceof HostError) reach = undefined; // it may have failed only for once
            return found;
          })),
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

/** Undefined where nothing is in dispute. */
async function survey(surveyed: Surveyed): Promise<Disputed | undefined> {
  const { heap, readNode } = surveyed;
  const newSet = (): ClusterSet => new ClusterSet(heap.clusterCount);
  const [exact, exactShared, doubtful, doubtfulShared] = [newSet(), newSet(), newSet(), newSet()];
  const claim = async (allocation: Allocation): Promise<void> => {
    const { count, isExact } = await allocation.reach();
    const [once, twice] = isExact ? [exact, exactShared] : [doubtful, doubtfulShared];
    for (const run of await allocation.runs(0, count)) once.add(run, twice);
  };
  for (const allocation of surveyed.reserved) await unlessDamaged(() => claim(allocation));
  // A directory is where its clusters begin, whatever names it: one that lies within itself is seen once.
  const seen = new Set<number>();
  const pending: NodeId[] = [ROOT_ID];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    await setImmediate(); // what is cached is there at once: others must have their turn even so
    await unlessDamaged(async () => {
      const node = await readNode(id);
      if (seen.has(node.firstCluster)) return;
      seen.add(node.firstCluster);
      if (node.firstCluster > 0) await claim(clustersOf(heap, node));
      const directory = await surveyed.directory(id);
      for await (const { entries } of entriesOf(heap, directory, surveyed.newParser(), 0)) {
        for (const entry of entries) {
          await unlessDamaged(async () => {
            if (entry.type === "directory") pending.push(entry.id);
            else await claim(clustersOf(heap, await readNode(entry.id)));
          });
        }
      }
    });
  }
  if (exactShared.isEmpty && doubtful.isEmpty) return undefined;
  doubtfulShared.join(exact);
  return { exact: exactShared, doubtful: doubtfulShared };
}

/** What cannot be read has nothing to claim, and says so itself when it is asked for. */
async function unlessDamaged(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}

/** A bit for each cluster. */
class ClusterSet {
  readonly #bits: Uint8Array;
  isEmpty = true;

  constructor(clusterCount: number) {
    this.#bits = new Uint8Array((clusterCount >>> 3) + 1 + 1);
  }

  /** Adds the clusters of `run`; those that were there already are added to `again`. */
  add({ cluster, count }: ClusterRun, again: ClusterSet): void {
    this.isEmpty = false;
    for (let at = cluster; at < cluster + count; at++) {
      const bit = 1 << (at & 7);
      if ((this.#bits[at >>> 3]! & bit) === 0) {
        this.#bits[at >>> 3]! |= bit;
      } else {
        again.#bits[at >>> 3]! |= bit;
        again.isEmpty = false;
      }
    }
  }

  join(other: ClusterSet): void {
    this.isEmpty &&= other.isEmpty;
    for (let at = 0; at < this.#bits.length; at++) this.#bits[at]! |= other.#bits[at]!;
  }

  /** The first cluster of `run` that is in the set; the one after the run where none is. */
  firstIn({ cluster, count }: ClusterRun): number {
    let at = cluster;
    while (at < cluster + count && (this.#bits[at >>> 3]! & (1 << (at & 7))) === 0) at++;
    return at;
  }
}

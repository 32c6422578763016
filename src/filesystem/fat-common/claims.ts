/** Reads the whole directory tree once, and collects the clusters that each entry claims. */
import { DiskError } from "../../errors.js";
import { Builder } from "../../extent/builder.js";
import { read } from "../../extent/read.js";
import type { Run } from "../../extent/runs.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import { ClusterSet } from "./cluster-set.js";
import { SLOT_SIZE, type Directory } from "./directory.js";
import { follow } from "./follow.js";
import { addClusters, holds, type ClusterRun, type Heap } from "./heap.js";

/** What one directory entry says about its clusters. */
export interface Claim {
  readonly first: number;
  /** Clusters; Infinity where the entry states no length. */
  readonly wanted: number;
  /** True if the clusters have no links: they lie one behind the other. */
  readonly isContiguous: boolean;
  readonly isDirectory: boolean;
}

/** Reads claims out of the slots of one directory, which come in order. */
export interface ClaimParser {
  /** Takes the slot at `at` of `bytes`; returns the claim of an entry that this slot completes. */
  take(bytes: Buffer, at: number): Claim | undefined;
  /** Some slots are missing: what began before them is dropped. */
  skip(): void;
  /** True once the end of the directory was seen. */
  readonly isEnd: boolean;
}

/**
 * Slots and directories that are read at most, which takes less than a second. On a volume with more of them, clusters that
 * several files have are not found.
 */
const SLOT_LIMIT = 2 ** 20;
const DIRECTORY_LIMIT = 2 ** 15;

/** Bytes of a directory that are read at first, since most are short, and at a time later. */
const FIRST_READ = 2 ** 12;
const READ_SIZE = 2 ** 16;

export interface Claimants {
  /** Its table keeps all pages, which are needed again. */
  readonly heap: Heap;
  readonly newParser: () => ClaimParser;
  /** The root directory: its claim, or where it lies if it has no clusters. */
  readonly root: Claim | Directory;
  /** The clusters of the file system's own tables. */
  readonly reserved: readonly Claim[];
}

/** Claims as columns: there may be a million. */
export class ClaimList {
  readonly firsts: number[] = [];
  readonly wanted: number[] = [];

  add(claim: Claim): void {
    this.firsts.push(claim.first);
    this.wanted.push(claim.wanted);
  }
}

export interface Claims {
  readonly chained: ClaimList;
  readonly contiguous: ClaimList;
}

/** All claims; undefined if the tree is too large. What cannot be read claims nothing: reading it reports the reason. */
export async function claimsOf(claimants: Claimants): Promise<Claims | undefined> {
  const survey = new Survey(claimants);
  return (await survey.run()) ? survey.claims : undefined;
}

class Survey {
  readonly claims: Claims = { chained: new ClaimList(), contiguous: new ClaimList() };
  readonly #claimants: Claimants;
  /** The first clusters of the directories that were met, and the clusters that were read: those that directories share are read once. */
  readonly #met: ClusterSet;
  readonly #read: ClusterSet;
  readonly #pending: Claim[] = [];
  #slots = 0;
  #directories = 0;

  constructor(claimants: Claimants) {
    this.#claimants = claimants;
    this.#met = new ClusterSet(claimants.heap.clusterCount);
    this.#read = new ClusterSet(claimants.heap.clusterCount);
  }

  /** Returns false if the tree is too large. */
  async run(): Promise<boolean> {
    const { root, reserved } = this.#claimants;
    for (const claim of reserved) this.#add(claim);
    if ("first" in root) this.#pending.push(root);
    else await this.#takeFixed(root);
    for (let claim = this.#pending.pop(); claim !== undefined; claim = this.#pending.pop()) {
      await this.#takeDirectory(claim);
      if (this.#isTooMuch) return false;
    }
    return true;
  }

  get #isTooMuch(): boolean {
    return this.#slots > SLOT_LIMIT || this.#directories > DIRECTORY_LIMIT;
  }

  #add(claim: Claim): void {
    if (claim.wanted === 0) return;
    (claim.isContiguous ? this.claims.contiguous : this.claims.chained).add(claim);
  }

  /** Takes the slots of a root directory that is not in clusters. */
  async #takeFixed(root: Directory): Promise<void> {
    const { size } = await root.reach(Infinity);
    const parser = this.#claimants.newParser();
    for (const run of size > 0 ? await root.runs(0, size) : [])
      if (run.kind === "at") await this.#takeRange(run.offset, run.length, parser);
  }

  async #takeDirectory(claim: Claim): Promise<void> {
    const { heap, newParser } = this.#claimants;
    if (!holds(heap, claim.first) || this.#met.has(claim.first)) return;
    this.#met.add(claim.first);
    this.#directories++;
    this.#add(claim);
    const parser = newParser();
    for await (const run of this.#runsOf(claim)) {
      let length = 0;
      const parts = new Builder<Run>();
      addClusters(parts, heap, run);
      for (const part of parts.list) {
        if (part.kind === "at") length += await this.#takeRange(part.offset, part.length, parser);
        else parser.skip();
      }
      for (let at = 0; at * heap.clusterSize < length; at++) this.#read.add(run.cluster + at);
      if (parser.isEnd || this.#isTooMuch) return;
    }
  }

  /** Takes the slots of a part of the volume; returns how many bytes it has looked at. */
  async #takeRange(offset: number, length: number, parser: ClaimParser): Promise<number> {
    const { volume } = this.#claimants.heap;
    let at = 0;
    for (let size = FIRST_READ; at < length && !parser.isEnd && !this.#isTooMuch; size = READ_SIZE) {
      const turn = yieldIfDue();
      if (turn !== undefined) await turn;
      const count = Math.min(size, length - at);
      try {
        at += this.#takeSlots(await read(volume, offset + at, count), parser);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        parser.skip();
        at += count;
      }
    }
    return at;
  }

  #takeSlots(bytes: Buffer, parser: ClaimParser): number {
    let at = 0;
    for (; at < bytes.length && !parser.isEnd; at += SLOT_SIZE) {
      const claim = parser.take(bytes, at);
      if (claim === undefined) continue;
      if (claim.isDirectory) this.#pending.push(claim);
      else this.#add(claim);
    }
    this.#slots += at / SLOT_SIZE;
    return at;
  }

  /** The clusters of a directory, in order, up to the first that was read already. */
  async *#runsOf(claim: Claim): AsyncGenerator<ClusterRun> {
    const { heap } = this.#claimants;
    const step = Math.max(1, Math.floor(READ_SIZE / heap.clusterSize));
    let left = Math.min(claim.wanted, heap.clusterCount);
    for (let next: number | undefined = claim.first; next !== undefined && left > 0;) {
      const cluster: number = next;
      const limit = Math.min(step, left);
      let count = 0;
      next = undefined;
      const visit = (at: number): boolean => {
        if (this.#read.has(at)) return true;
        if (at !== cluster + count || count === limit) {
          next = at;
          return true;
        }
        count++;
        return false;
      };
      if (claim.isContiguous) {
        for (let at = cluster; holds(heap, at) && !visit(at); at++);
      } else {
        try {
          await follow(heap, cluster, limit + 1, visit);
        } catch (error) {
          if (!(error instanceof DiskError)) throw error; // the chain ends here
        }
      }
      left -= count;
      if (count > 0) yield { cluster, count };
    }
  }
}

/** Listing a directory batch by batch, and finding a name in it whatever its case. */
import { LRUCache } from "lru-cache";
import { utf16FromName } from "../../bytes/utf16.js";
import { HostError, type DiskError } from "../../errors.js";
import { loadingCache } from "../../extent/loading.js";
import type { DirectoryEntry, NodeId } from "../filesystem.js";
import { hashOf, INDEX_LIMIT, PositionIndex } from "../positions.js";
import { entriesOf, entryAt, type Directory, type Entry, type EntryParser } from "./directory.js";
import type { Heap } from "./heap.js";

/** Entries that make a batch: listing stops after the part that reaches them. */
const BATCH_SIZE = 256;

/** Bytes that are read at once for a few entries: some forty. */
const FEW_SIZE = 4096;

/** Directories whose damage is remembered while they are being listed. */
const DAMAGED_COUNT = 1000;

/** What an index takes in memory besides its places, about. */
const INDEX_OVERHEAD = 256;

/** Names are the same that differ only in case: upper case of UTF-16 units, in place. */
export type Fold = (units: Buffer) => Buffer;

export interface Listing {
  /** @param limit how many entries are needed, if only a few are. */
  list(directory: Directory, cookie: number, limit?: number): Promise<readonly DirectoryEntry[]>;
  /** The entry called `name`: so written, in another case, or by its alias, in this order. */
  find(directory: Directory, name: Buffer): Promise<NodeId | undefined>;
}

interface Index {
  readonly positions: PositionIndex;
  /** What kept some names from being read. */
  readonly problem: DiskError | undefined;
}

export function listing(heap: Heap, newParser: () => EntryParser, fold: Fold): Listing {
  const damaged = new LRUCache<NodeId, DiskError>({ max: DAMAGED_COUNT });
  const indexes = loadingCache<NodeId, Index, Directory>(
    INDEX_LIMIT,
    ({ positions }) => positions.size + INDEX_OVERHEAD,
    (_id, directory) => buildIndex(directory),
  );
  const keyOf = (name: Buffer): Buffer => {
    const units = utf16FromName(name);
    return units === undefined ? name : fold(units);
  };
  const from = (directory: Directory, slot: number, areFew = false): ReturnType<typeof entriesOf> =>
    entriesOf(heap, directory, newParser(), slot, areFew ? FEW_SIZE : undefined);

  async function buildIndex(directory: Directory): Promise<Index> {
    const positions = new PositionIndex();
    let damage: DiskError | undefined;
    for await (const { entries, problem } of from(directory, 0)) {
      damage = problem;
      for (const { name, alias, slot } of entries) {
        positions.add(hashOf(keyOf(name)), slot);
        if (alias !== undefined) positions.add(hashOf(keyOf(alias)), slot);
      }
    }
    return { positions, problem: damage };
  }

  /** How well an entry answers to a name; 0 is best. */
  const rankOf = ({ name, alias }: Entry, wanted: Buffer, key: Buffer): number => {
    if (name.equals(wanted)) return 0;
    if (keyOf(name).equals(key)) return 1;
    return alias !== undefined && keyOf(alias).equals(key) ? 2 : NOT_IT;
  };

  async function* candidates(
    directory: Directory,
    index: Index,
    key: Buffer,
  ): AsyncGenerator<Entry, void, void> {
    if (index.positions.isUsable) {
      for (const slot of index.positions.find(hashOf(key))) {
        const entry = await entryAt(heap, directory, newParser(), slot);
        if (entry !== undefined) yield entry;
      }
    } else {
      for await (const { entries } of from(directory, 0)) yield* entries;
    }
  }

  return {
    async list(directory, cookie, limit = BATCH_SIZE) {
      if (cookie === 0) damaged.delete(directory.id);
      const found: DirectoryEntry[] = [];
      for await (const { entries, problem } of from(directory, cookie, limit < BATCH_SIZE)) {
        if (problem !== undefined) damaged.set(directory.id, problem);
        for (const { name, id, type, nextSlot } of entries)
          found.push({ name, id, ...(type && { type }), cookie: nextSlot });
        if (found.length >= limit) break;
      }
      // The names behind the damage come first: only the end says that some are missing.
      const damage = damaged.get(directory.id);
      if (found.length === 0 && damage !== undefined) throw damage;
      return found;
    },
    async find(directory, name) {
      const index = await indexes.get(directory.id, directory);
      if (index.problem instanceof HostError) indexes.forget(directory.id); // the next look-up may have more luck
      const key = keyOf(name);
      let best: Entry | undefined;
      let bestRank = NOT_IT;
      for await (const entry of candidates(directory, index, key)) {
        const rank = rankOf(entry, name, key);
        if (rank < bestRank) [best, bestRank] = [entry, rank];
        if (rank === 0) break;
      }
      if (best === undefined && index.problem !== undefined) throw index.problem;
      return best?.id;
    },
  };
}

const NOT_IT = 3;

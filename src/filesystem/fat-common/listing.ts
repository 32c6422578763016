/** Lists a directory page by page, and finds a name in it without regard to case. */
import { LRUCache } from "lru-cache";
import { utf16FromName } from "../../bytes/utf16.js";
import type { DiskError } from "../../errors.js";
import { throwIfAborted, type StopSignal } from "../../extent/time-slice.js";
import { TYPE_CODES, UNKNOWN_TYPE } from "../attributes.js";
import { damagedEntryPosition } from "../damaged-entry.js";
import type { NodeId } from "../filesystem.js";
import { PageBuilder } from "../page-builder.js";
import type { DirectoryPage, PageOptions } from "../page.js";
import { hashOf, INDEX_LIMIT } from "../positions.js";
import { entriesOf, entryAt, SLOT_SIZE, type Directory, type Entry, type EntryParser } from "./directory.js";
import type { Heap } from "./heap.js";
import { NameIndex } from "./name-index.js";

/** Entries of a page: reading stops after the part that reaches them. */
const PAGE_ENTRIES = 256;

/** Bytes that are read at first for a few entries: some forty. */
const FEW_BYTES = 4096;

/** Directories whose damage is remembered while they are being listed. */
const DAMAGED_COUNT = 1000;

/** Puts UTF-16 units into upper case, in place: names that differ only in case are the same name. */
export type Fold = (units: Buffer) => Buffer;

export interface Listing {
  /** Some entries of `directory` after `cookie`, as `NodeTree.page` describes it, without attributes. */
  page(directory: Directory, cookie: number, options?: PageOptions): Promise<DirectoryPage>;
  /**
   * The entry `name`: an exact match is preferred to one in another case, and that to an alias.
   * @throws {Interrupted} once `signal` is aborted. The index keeps the names that were read until then.
   */
  find(directory: Directory, name: Buffer, signal?: StopSignal): Promise<NodeId | undefined>;
}

/** Damage that ends the listing of a directory, which several readers may list at the same time. */
interface Damage {
  /** Nothing from here on was read before the damage. */
  readonly slot: number;
  readonly error: DiskError;
}

/** How well an entry matches a name; 0 is best. */
const Rank = { exact: 0, otherCase: 1, alias: 2, none: 3 } as const;

export function listing(heap: Heap, newParser: () => EntryParser, fold: Fold): Listing {
  const damaged = new LRUCache<NodeId, Damage>({ max: DAMAGED_COUNT });
  const indexes = new LRUCache<NodeId, NameIndex>({
    maxSize: INDEX_LIMIT,
    sizeCalculation: ({ size }) => size,
  });
  const keyOf = (name: Buffer): Buffer => {
    const units = utf16FromName(name);
    return units === undefined ? name : fold(units);
  };
  const from = (
    directory: Directory,
    slot: number,
    signal?: StopSignal,
    areFew = false,
  ): ReturnType<typeof entriesOf> =>
    entriesOf(heap, directory, newParser(), slot, areFew ? FEW_BYTES : undefined, signal);

  function indexOf(directory: Directory): NameIndex {
    let index = indexes.get(directory.id);
    if (index === undefined) {
      index = new NameIndex(from(directory, 0), (name) => hashOf(keyOf(name)));
      indexes.set(directory.id, index);
    }
    return index;
  }

  const rankOf = ({ name, alias, problem }: Entry, wanted: Buffer, key: Buffer): number => {
    if (problem !== undefined) return Rank.none;
    if (name.equals(wanted)) return Rank.exact;
    if (keyOf(name).equals(key)) return Rank.otherCase;
    return alias !== undefined && keyOf(alias).equals(key) ? Rank.alias : Rank.none;
  };

  /** Calls `visit` for entries that may match, until it returns true or there are no more; returns what is wrong with the directory. */
  async function search(
    directory: Directory,
    key: Buffer,
    visit: (entry: Entry) => boolean,
    signal?: StopSignal,
  ): Promise<DiskError | undefined> {
    const index = indexOf(directory);
    const hash = hashOf(key);
    const visited = new Set<number>();
    while (index.isUsable) {
      const { indexedSlots } = index;
      for (const slot of index.find(hash)) {
        if (visited.has(slot)) continue;
        visited.add(slot);
        const entry = await entryAt(heap, directory, newParser(), slot);
        if (entry !== undefined && visit(entry)) return undefined;
      }
      if (index.indexedSlots !== indexedSlots) continue; // another look-up has read on
      if (index.isWhole) return index.problem;
      throwIfAborted(signal); // not within a read, which other look-ups may wait for
      try {
        await index.readOn();
      } catch (error) {
        if (indexes.peek(directory.id) === index) indexes.delete(directory.id);
        throw error;
      }
      // Its size has changed; where the host has failed, the next look-up begins anew.
      if (index.isRetryable) indexes.delete(directory.id);
      else if (indexes.peek(directory.id) === index) indexes.set(directory.id, index);
    }
    let damage: DiskError | undefined;
    for await (const { entries, problem } of from(directory, 0, signal)) {
      damage = problem ?? damage;
      for (const entry of entries) {
        damage ??= entry.problem;
        if (visit(entry)) return undefined;
      }
    }
    return damage;
  }

  /** The damaged entry that `name` stands for. */
  async function damagedAt(directory: Directory, name: Buffer): Promise<DiskError | undefined> {
    const position = damagedEntryPosition(name);
    if (position === undefined || position % SLOT_SIZE !== 0) return undefined;
    return (await entryAt(heap, directory, newParser(), position / SLOT_SIZE))?.problem;
  }

  return {
    async page(directory, cookie, { limit = PAGE_ENTRIES, signal } = {}) {
      const builder = new PageBuilder();
      let isEnd = true;
      let readTo = cookie;
      let found: Damage | undefined;
      const batches = from(directory, cookie, signal, limit < PAGE_ENTRIES);
      for await (const { entries, problem, nextSlot: end } of batches) {
        readTo = end;
        if (problem !== undefined) found ??= { slot: end, error: problem };
        for (const { name, id, type, problem: damage, nextSlot } of entries) {
          if (damage !== undefined) builder.addDamaged(name, nextSlot, damage);
          else builder.add(id, type === undefined ? UNKNOWN_TYPE : TYPE_CODES[type], nextSlot, name);
        }
        isEnd = builder.count < limit;
        if (!isEnd) break;
      }
      // The names behind the damage are listed first; the error ends the listing.
      const known = damaged.get(directory.id);
      if (found !== undefined) damaged.set(directory.id, found);
      // What the host could not read may be readable now.
      else if (known !== undefined && known.slot >= cookie && (isEnd || known.slot < readTo))
        damaged.delete(directory.id);
      const damage = damaged.get(directory.id)?.error;
      if (builder.count === 0 && damage !== undefined) throw damage;
      return builder.finish(isEnd && damage === undefined);
    },
    async find(directory, name, signal) {
      const key = keyOf(name);
      let best: Entry | undefined;
      let bestRank: number = Rank.none;
      const keepBest = (entry: Entry): boolean => {
        const rank = rankOf(entry, name, key);
        if (rank < bestRank) [best, bestRank] = [entry, rank];
        return rank === Rank.exact;
      };
      const damage = await search(directory, key, keepBest, signal);
      if (best !== undefined) return best.id;
      const problem = (await damagedAt(directory, name)) ?? damage;
      if (problem !== undefined) throw problem;
      return undefined;
    },
  };
}

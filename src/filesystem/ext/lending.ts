/**
 * Listings of large directories with the attributes of their entries: the inodes of a batch are read in the order of the
 * volume (sweep.ts), and the entries are passed on one by one in the order of the directory.
 */
import { firstIndex } from "../../bytes/integers.js";
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../bytes/memory.js";
import type { StopSignal } from "../../extent/time-slice.js";
import type { DirectoryEntry, EntryView, EntryVisitor } from "../filesystem.js";
import type { Inode } from "./inode.js";
import type { Inodes } from "./inodes.js";
import type { Listing } from "./listing.js";
import type { Medium } from "./medium.js";
import type { SweptInodes } from "./sweep.js";

/**
 * Bytes from which on a directory is large. The inodes of a smaller one are cached when they are read one by one, and
 * are needed from the cache again when its files are opened.
 */
const LARGE = 64 * 2 ** 10;

/** Entries of the first batch of a directory; each further one is GROWTH times as large. */
const FIRST_COUNT = 2 ** 10;
const GROWTH = 4;

/** Entries of a batch at most, and of all batches that are kept. */
const BATCH_LIMIT = withinMemory(2 ** 14);
const ENTRIES_KEPT = withinMemory(2 ** 15);

/** Bytes of the inodes of one batch at most. */
const INODE_BYTES_LIMIT = 8 * 2 ** 20;

interface Batch {
  readonly entries: readonly DirectoryEntry[];
  readonly inodes: SweptInodes;
}

/**
 * Lists directory `id` as `NodeTree.visit` describes it; undefined for a small directory.
 * @throws {Interrupted} once `signal` is aborted.
 */
export type Visit = (
  id: number,
  cookie: number,
  visitor: EntryVisitor,
  signal?: StopSignal,
) => Promise<boolean | undefined>;

export function largeDirectoryVisitor(medium: Medium, inodes: Inodes, listing: Listing): Visit {
  const batches = new LRUCache<number, Batch>({
    maxSize: ENTRIES_KEPT,
    sizeCalculation: ({ entries }) => entries.length,
  });
  const limit = Math.min(BATCH_LIMIT, Math.ceil(INODE_BYTES_LIMIT / medium.geometry.inodeSize));

  async function load(id: number, cookie: number, count: number, signal?: StopSignal): Promise<Batch> {
    const entries = await listing.list(id, cookie, Math.min(count, limit), signal);
    const batch = {
      entries,
      inodes: await inodes.sweep(
        entries.map(({ id }) => id),
        signal,
      ),
    };
    if (entries.length > 0) batches.set(id, batch);
    return batch;
  }

  /** The batch that holds the entries after `cookie`, and the index of the first of them; its end, if there are none. */
  async function seek(
    id: number,
    cookie: number,
    signal?: StopSignal,
  ): Promise<{ batch: Batch; from: number }> {
    const known = batches.get(id);
    const from = known === undefined ? -1 : indexAfter(known.entries, cookie);
    if (known === undefined || from < 0)
      return { batch: await load(id, cookie, FIRST_COUNT, signal), from: 0 };
    if (from < known.entries.length || known.entries.at(-1)!.isLast === true) return { batch: known, from };
    return { batch: await load(id, cookie, known.entries.length * GROWTH, signal), from: 0 };
  }

  /** One object for all entries: see EntryView. */
  const view: EntryView = {
    ...{ names: Buffer.alloc(0), from: 0, to: 0, id: 0, inode: 0, type: undefined, attributes: undefined },
    ...{ isCostly: false, cookie: 0, isLast: false, problem: undefined },
  };

  /** Sets `view` to entry `index` of `batch`. */
  function entryAt({ entries, inodes: swept }: Batch, index: number): EntryView {
    const { name, id, type, cookie, isLast, problem } = entries[index]!;
    const bytes = problem === undefined ? swept.bytesOf(index) : undefined;
    view.names = name;
    view.to = name.length;
    view.id = view.inode = id;
    view.type = type;
    view.attributes = bytes && inodes.attributesIn(id, bytes);
    view.cookie = cookie;
    view.isLast = isLast === true;
    view.problem = problem;
    return view;
  }

  async function visitIfLarge(
    directory: Inode | Promise<Inode>,
    cookie: number,
    visitor: EntryVisitor,
    signal?: StopSignal,
  ): Promise<boolean | undefined> {
    const { number: id, size } = await directory;
    if (size < LARGE) return undefined;
    const { batch, from } = await seek(id, cookie, signal);
    const { entries } = batch;
    let at = from;
    while (at < entries.length && visitor(entryAt(batch, at))) at++;
    if (at === entries.length && entries.at(-1)?.isLast === true) batches.delete(id);
    return from < entries.length;
  }

  return (id, cookie, visitor, signal) => {
    const directory = inodes.named(id);
    // Most directories are small: of a cached one, that is decided at once.
    const isSmall = !(directory instanceof Promise) && directory.size < LARGE;
    return isSmall ? SMALL : visitIfLarge(directory, cookie, visitor, signal);
  };
}

/** The answer for a small directory. */
const SMALL = Promise.resolve(undefined);

/** The index of the entry that follows `cookie`; -1 if no entry has this cookie. */
function indexAfter(entries: readonly DirectoryEntry[], cookie: number): number {
  const low = firstIndex(entries.length, (index) => entries[index]!.cookie >= cookie);
  return entries[low]?.cookie === cookie ? low + 1 : -1;
}

/**
 * Read-ahead for programs that walk the tree (find, tar, cp -r): it lists the directories that such a walk enters next,
 * the next page of a large directory, and opens the next files of a directory, before they are requested. No request waits
 * for it, and the server works without it.
 */
import { setImmediate as immediate } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../bytes/memory.js";
import { DiskError } from "../../errors.js";
import type { NodeId } from "../../filesystem/filesystem.js";
import type { Page } from "./pages.js";

/** Directories that are listed ahead of a walk at most. */
const DIRECTORIES_AHEAD = 32;

/** Files that are opened ahead; in a directory that no program has entered yet; and from one milestone to the next. */
const FILES_AHEAD = 32;
const FIRST_FILES = 8;
const MILESTONE = 8;

/** Directories of which the next page is listed ahead. */
const UNFINISHED_COUNT = 64;

/** Entries that are remembered, of all directories together and of one: eight bytes each. */
const ENTRIES_KEPT = withinMemory(300_000);
const ENTRIES_KEPT_OF_ONE = 2 ** 17;

/** A remembered directory takes as much memory as this many entries, besides its entries. */
const LISTING_COST = 32;

/** Directories, most recently used first, and entries of them that are searched to find where a node stands. */
const LISTINGS_SEARCHED = 64;
const ENTRIES_SEARCHED = 2 ** 15;

/** Levels of directories that are climbed: damaged directories may form a circle. */
const DEPTH_LIMIT = 1000;

/** The part of a page that matters here. */
export type ListedPage = Pick<Page, "directories" | "files" | "last" | "isEnd">;

export interface ReadAhead {
  /**
   * A program has listed directory `id` from `offset` on.
   * @param page its entries; undefined if the reply was a prefetched page.
   * @param isPageSize whether the program requests pages of the size in which they are prefetched.
   */
  directoryListed(id: NodeId, offset: number, page?: ListedPage, isPageSize?: boolean): void;
  /** A program has opened file `id`. */
  fileOpened(id: NodeId): void;
}

/** The server, as read-ahead uses it. */
export interface Prefetching {
  /**
   * Lists directory `id` from `offset` on, so that the reply is ready when it is requested. Calls `record` with the page
   * before a request gets it.
   */
  list(id: NodeId, offset: number, record: (page: ListedPage) => void): Promise<void>;
  /** Opens file `id`. Resolves to true if `fileOpened` will be called when it is read; required if `isMilestone`. */
  open(id: NodeId, isMilestone: boolean): Promise<boolean>;
}

/** A server without read-ahead. */
export const noReadAhead: ReadAhead = {
  directoryListed: () => undefined,
  fileOpened: () => undefined,
};

/** The entries of one kind in a directory, in its order. In a very large directory, only the last ones are kept. */
class Column {
  #ids: NodeId[] = [];
  /** The index of the first entry that is kept. */
  #first = 0;

  get kept(): number {
    return this.#ids.length;
  }

  /** Appends `ids`. Keeps at most `limit` entries. */
  append(ids: readonly NodeId[], limit: number): void {
    for (const id of ids) this.#ids.push(id);
    if (this.#ids.length <= limit) return;
    const dropped = this.#ids.length - limit / 2;
    this.#ids = this.#ids.slice(dropped);
    this.#first += dropped;
  }

  at(index: number): NodeId | undefined {
    return this.#ids[index - this.#first];
  }

  /** The index of `id`, from index `from` on; -1 if it is not kept. */
  indexOf(id: NodeId, from = 0): number {
    const at = this.#ids.indexOf(id, Math.max(0, from - this.#first));
    return at < 0 ? -1 : at + this.#first;
  }
}

interface Listing {
  readonly directories: Column;
  readonly files: Column;
  /** How many of the files, from the first on, are prefetched, and how many of those since the last milestone. */
  openedFiles: number;
  sinceMilestone: number;
}

/** A file or a directory, by its index among those of its kind in its directory. */
interface Place {
  readonly parent: NodeId;
  readonly index: number;
}

/** A directory that a walk has reached, and the way there as far as it is known. */
interface Step extends Partial<Place> {
  readonly id: NodeId;
  readonly above?: Step | undefined;
  readonly depth: number;
}

/** @param report logs a bug. Errors of the disk are left to the request that meets them. */
export function readAheadFor(server: Prefetching, report: (error: unknown) => void): ReadAhead {
  const listings = new LRUCache<NodeId, Listing>({
    maxSize: ENTRIES_KEPT,
    sizeCalculation: ({ directories, files }) => LISTING_COST + directories.kept + files.kept,
  });

  /** Where `id` stands in one of the directories that were listed last. */
  const find = (id: NodeId, kind: "directories" | "files"): Place | undefined => {
    let [searched, compared] = [0, 0];
    for (const [parent, listing] of listings.entries()) {
      const index = listing[kind].indexOf(id);
      if (index >= 0) return { parent, index };
      compared += listing[kind].kept;
      if (++searched === LISTINGS_SEARCHED || compared >= ENTRIES_SEARCHED) return undefined;
    }
    return undefined;
  };

  const located = ({ id, depth }: Step): Step => ({ id, depth, ...find(id, "directories") });

  /** The directory that a walk enters after `step`: its first child, or else the next sibling, of it or a parent. */
  const stepAfter = (step: Step): Step | undefined => {
    const child = listings.get(step.id)?.directories.at(0);
    if (child !== undefined && step.depth < DEPTH_LIMIT)
      return { id: child, parent: step.id, index: 0, above: step, depth: step.depth + 1 };
    let at = step;
    for (let climbed = 0; climbed < DEPTH_LIMIT; climbed++) {
      const { parent, index, above, depth }: Step = at.parent === undefined ? located(at) : at;
      if (parent === undefined) return undefined;
      const sibling = listings.get(parent)?.directories.at(index! + 1);
      if (sibling !== undefined) return { id: sibling, parent, index: index! + 1, above, depth };
      at = above ?? { id: parent, depth };
    }
    return undefined;
  };

  let front: Step | undefined; // the last directory, in the order of the walk, that is listed ahead
  const ahead = new Set<NodeId>(); // directories that are listed ahead
  const listDirectories = inTurns(async () => {
    if (front === undefined || ahead.size >= DIRECTORIES_AHEAD) return false;
    front = stepAfter(front);
    if (front === undefined || ahead.has(front.id)) return false; // the end of the tree; or a circle
    const { id } = front;
    ahead.add(id);
    await list(id, 0);
    if (isSequential) for (let hasMore = true; hasMore;) hasMore = await openNextFile(id, FIRST_FILES);
    return true;
  }, report);

  /** Opens one more of the first `limit` files of directory `parent`. Resolves to false if there is none. */
  const openNextFile = async (parent: NodeId, limit: number): Promise<boolean> => {
    const listing = listings.get(parent);
    if (listing === undefined || listing.openedFiles >= limit) return false;
    const index = listing.openedFiles;
    const file = listing.files.at(index);
    if (file === undefined) return false;
    listing.openedFiles++;
    listing.sinceMilestone++;
    const notifies = await server.open(file, index === 0 || listing.sinceMilestone >= MILESTONE);
    if (notifies) listing.sinceMilestone = 0;
    return true;
  };

  let isSequential = false; // whether a program opens files in the order in which they are listed
  let lastOpened: Place | undefined;
  const openFiles = inTurns(
    async () =>
      lastOpened !== undefined && openNextFile(lastOpened.parent, lastOpened.index + 1 + FILES_AHEAD),
    report,
  );

  /** Where the next page begins, of directories whose end has not been listed. */
  const unfinished = new LRUCache<NodeId, number>({ max: UNFINISHED_COUNT });

  /** Records the entries of a page. */
  const record = (id: NodeId, offset: number, page: ListedPage, isPageSize = true): void => {
    const known = offset === 0 ? undefined : listings.get(id);
    const listing = known ?? {
      ...{ directories: new Column(), files: new Column(), openedFiles: 0, sinceMilestone: 0 },
    };
    listing.directories.append(page.directories, ENTRIES_KEPT_OF_ONE);
    listing.files.append(page.files, ENTRIES_KEPT_OF_ONE);
    listings.set(id, { ...listing }); // another object: the cache computes a value's size only when it is replaced
    if (isPageSize && !page.isEnd && page.last !== undefined) unfinished.set(id, page.last);
  };

  const list = (id: NodeId, offset: number): Promise<void> =>
    server.list(id, offset, (page) => {
      record(id, offset, page);
    });

  const listNextPage = (id: NodeId): void => {
    if (!unfinished.has(id)) return;
    setImmediate(() => {
      const offset = unfinished.get(id);
      if (offset === undefined) return; // a request was faster, and what follows it is listed
      unfinished.delete(id);
      list(id, offset).catch((error: unknown) => {
        if (!(error instanceof DiskError)) report(error);
      });
    });
  };

  const enter = (id: NodeId): void => {
    if (!ahead.delete(id)) {
      // Not expected. If its parent was listed before, this may be the start of a walk.
      ahead.clear();
      const start = located({ id, depth: 0 });
      front = start.parent === undefined ? undefined : start;
    }
    listDirectories();
    if (isSequential) {
      lastOpened = { parent: id, index: -1 };
      openFiles();
    }
  };

  return {
    directoryListed(id, offset, page, isPageSize) {
      if (page !== undefined) record(id, offset, page, isPageSize);
      if (offset === 0) enter(id);
      listNextPage(id);
    },

    fileOpened(id) {
      const expected = lastOpened && listings.peek(lastOpened.parent)?.files.indexOf(id, lastOpened.index);
      const place =
        expected !== undefined && expected >= 0
          ? { parent: lastOpened!.parent, index: expected }
          : find(id, "files");
      if (place === undefined) return;
      // A sequence continues in the next directory, and in the parent directory after that.
      const isSameDirectory = lastOpened?.parent === place.parent;
      const steps = place.index - (lastOpened?.index ?? 0);
      if (isSameDirectory) isSequential = steps > 0 && steps <= FILES_AHEAD;
      lastOpened = place;
      if (!isSequential) return;
      const listing = listings.get(place.parent)!;
      listing.openedFiles = Math.max(listing.openedFiles, place.index + 1);
      openFiles();
    },
  };
}

/** Milliseconds of read-ahead after which requests that arrived meanwhile are answered. */
const TURN = 1;

/** Returns a function that runs `step` repeatedly, in short turns, until it returns false or fails. */
function inTurns(step: () => Promise<boolean>, report: (error: unknown) => void): () => void {
  let isRunning = false;
  const run = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    try {
      for (let hasMore = true; hasMore;) {
        await immediate();
        const end = performance.now() + TURN;
        do hasMore = await step();
        while (hasMore && performance.now() < end);
      }
    } catch (error) {
      if (!(error instanceof DiskError)) report(error);
    } finally {
      isRunning = false;
    }
  };
  return () => void run();
}

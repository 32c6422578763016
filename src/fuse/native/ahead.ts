/**
 * Prefetching for programs that walk the tree (find, tar, cp -r): the directories that such a walk enters next are
 * listed, and the next files of a directory opened, before they are requested. No request waits for it, and the server
 * works without it.
 */
import { setImmediate } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../bytes/memory.js";
import { DiskError } from "../../errors.js";
import type { NodeId } from "../../filesystem/filesystem.js";

/** Directories that are listed ahead at most. */
const DIRECTORIES_AHEAD = 32;

/** Files that are opened ahead; of a directory that no program has entered yet; and from one milestone to the next. */
const FILES_AHEAD = 32;
const FIRST_FILES = 8;
const MILESTONE = 8;

/** Entries that are remembered, of all directories together and of one: eight bytes each. */
const ENTRIES_KEPT = withinMemory(300_000);
const ENTRIES_KEPT_OF_ONE = 2 ** 17;

/** A remembered directory takes as much memory as this many entries, besides its entries. */
const LISTING_COST = 32;

/** Directories, most recently used first, and entries of them that are searched to find where a node stands. */
const LISTINGS_SEARCHED = 64;
const ENTRIES_SEARCHED = 2 ** 15;

/** Levels of directories that are climbed: damaged ones may form a circle. */
const DEPTH_LIMIT = 1000;

export interface Ahead {
  /** Records a page of directory `id`; `isFirst` if it is the first one. Takes over the two arrays. */
  learn(id: NodeId, directories: NodeId[], files: NodeId[], isFirst: boolean): void;
  /** A program has listed directory `id` from its start. */
  listed(id: NodeId): void;
  /** A program has opened file `id`. */
  opened(id: NodeId): void;
}

/** The entries of one kind in a directory, in its order. Of very many, only the latest are kept. */
class Column {
  #ids: NodeId[] = [];
  /** The index of the first that is kept. */
  #first = 0;

  get kept(): number {
    return this.#ids.length;
  }

  /** Appends `ids`; `limit`: how many are kept at most. */
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
  /** How many of the files, from the first on, are prefetched, and how many of them since the last milestone. */
  preparedFiles: number;
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

/**
 * @param prepareListing lists a directory, so that the reply is ready when it is requested.
 * @param prepareFile opens a file likewise. Returns true if `opened` will be called when it is read; required if
 * `isMilestone`.
 * @param report logs an error that is none of the disk's. Errors of the disk are left to the request that meets them.
 */
export function lookAhead(
  prepareListing: (id: NodeId) => Promise<void>,
  prepareFile: (id: NodeId, isMilestone: boolean) => Promise<boolean>,
  report: (error: unknown) => void,
): Ahead {
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

  /** The directory that a walk enters after `step`: its first child, else the next one beside it or above. */
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

  let front: Step | undefined; // the directory up to which all are prefetched
  const prepared = new Set<NodeId>();
  const directories = inTurns(async () => {
    if (front === undefined || prepared.size >= DIRECTORIES_AHEAD) return false;
    front = stepAfter(front);
    if (front === undefined || prepared.has(front.id)) return false; // the end; or damaged directories form a circle
    const { id } = front;
    prepared.add(id);
    await prepareListing(id);
    if (isRow) for (let goesOn = true; goesOn;) goesOn = await prepareNextFile(id, FIRST_FILES);
    return true;
  }, report);

  /** Prefetches one more of the first `limit` files of directory `parent`. Returns false if there is none. */
  const prepareNextFile = async (parent: NodeId, limit: number): Promise<boolean> => {
    const listing = listings.get(parent);
    if (listing === undefined || listing.preparedFiles >= limit) return false;
    const index = listing.preparedFiles;
    const file = listing.files.at(index);
    if (file === undefined) return false;
    listing.preparedFiles++;
    listing.sinceMilestone++;
    const isReported = await prepareFile(file, index === 0 || listing.sinceMilestone >= MILESTONE);
    if (isReported) listing.sinceMilestone = 0;
    return true;
  };

  let isRow = false; // whether files are opened in the order in which they are listed
  let lastOpened: Place | undefined;
  const files = inTurns(
    async () =>
      lastOpened !== undefined && prepareNextFile(lastOpened.parent, lastOpened.index + 1 + FILES_AHEAD),
    report,
  );

  return {
    learn(id, directories, files, isFirst) {
      const known = isFirst ? undefined : listings.get(id);
      const listing = known ?? {
        ...{ directories: new Column(), files: new Column(), preparedFiles: 0, sinceMilestone: 0 },
      };
      listing.directories.append(directories, ENTRIES_KEPT_OF_ONE);
      listing.files.append(files, ENTRIES_KEPT_OF_ONE);
      listings.set(id, { ...listing }); // another object: the cache computes a value's size only when it is replaced
    },

    listed(id) {
      if (!prepared.delete(id)) {
        // Not expected. A directory whose parent was listed before may be the beginning of a walk.
        prepared.clear();
        const start = located({ id, depth: 0 });
        front = start.parent === undefined ? undefined : start;
      }
      directories();
      if (isRow) {
        lastOpened = { parent: id, index: -1 };
        files();
      }
    },

    opened(id) {
      const expected = lastOpened && listings.peek(lastOpened.parent)?.files.indexOf(id, lastOpened.index);
      const place =
        expected !== undefined && expected >= 0
          ? { parent: lastOpened!.parent, index: expected }
          : find(id, "files");
      if (place === undefined) return;
      // A row continues in the next directory, and in the one above when that is done.
      const isSameDirectory = lastOpened?.parent === place.parent;
      const steps = place.index - (lastOpened?.index ?? 0);
      if (isSameDirectory) isRow = steps > 0 && steps <= FILES_AHEAD;
      lastOpened = place;
      if (!isRow) return;
      const listing = listings.get(place.parent)!;
      listing.preparedFiles = Math.max(listing.preparedFiles, place.index + 1);
      files();
    },
  };
}

/** Milliseconds of prefetching after which requests that arrived meanwhile are answered. */
const TURN = 1;

/** Returns a function that runs `step` repeatedly, in short turns, until it returns false or fails. */
function inTurns(step: () => Promise<boolean>, report: (error: unknown) => void): () => void {
  let isRunning = false;
  const run = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    try {
      for (let goesOn = true; goesOn;) {
        await setImmediate();
        const end = performance.now() + TURN;
        do goesOn = await step();
        while (goesOn && performance.now() < end);
      }
    } catch (error) {
      if (!(error instanceof DiskError)) report(error);
    } finally {
      isRunning = false;
    }
  };
  return () => void run();
}

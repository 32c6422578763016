/**
 * Looking ahead for whoever walks the tree (find, tar, cp -r): the directories that come next are listed, and the
 * next files of a directory opened, before they are asked for. Nobody waits for it.
 */
import { setImmediate } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { NodeId } from "../../filesystem/filesystem.js";

/**
 * Pages of listings that are ready before they are asked for, at most, of some 32 KiB each: half of what the threads
 * keep; and those of a walk that opens files, too, of which there is more to be ready.
 */
const PAGES_AHEAD = 128;
const PAGES_AHEAD_OF_FILES = 32;

/** Files that are opened ahead, also of a directory that nobody has entered yet; and how many come between two milestones. */
const FILES_AHEAD = 32;
const FIRST_FILES = 8;
const MILESTONE = 8;

/** Entries of listings that are remembered, over all directories. */
const ENTRIES_KEPT = 50_000;

/** Listings in which a file that is opened is looked for. */
const LISTINGS_SEARCHED = 64;

/** Directories that are climbed out of at once: damaged ones may lie in a circle. */
const CLIMB_LIMIT = 1000;

/** A page of a listing: the entries of a directory from an offset on. */
export interface Page {
  readonly id: NodeId;
  readonly offset: number;
}

/** What follows a page. */
export interface Following {
  /** Where the next page begins; none where there is none. */
  readonly next: number | undefined;
  /** Whether that is to be made ready. */
  readonly isWanted: boolean;
}

export interface Ahead {
  /** What `page` of a listing holds, and what follows it. The lists are given away. */
  learn(page: Page, directories: NodeId[], files: NodeId[], following: Following): void;
  /** Someone has taken up `page` of a listing. */
  listed(page: Page): void;
  /** Someone has opened file `id`. */
  opened(id: NodeId): void;
}

/** Where a node stands among its kind in its directory. */
interface Place {
  readonly parent: NodeId;
  readonly index: number;
}

/** The pages of a directory that are known, and what follows them. */
interface Listing extends Following {
  readonly directories: NodeId[];
  readonly files: NodeId[];
  /** How many of the files, from the first on, are prepared; and how many of them since the last milestone. */
  preparedFiles: number;
  sinceMilestone: number;
}

/**
 * The preparations may fail: who then asks hears why.
 * @param prepareFile gives whether it will be heard when the file is opened: of milestones that is wanted.
 */
export function lookAhead(
  prepareListing: (page: Page) => Promise<void>,
  prepareFile: (id: NodeId, isMilestone: boolean) => Promise<boolean>,
): Ahead {
  const places = new Map<NodeId, Place>(); // of directories
  const listings = new LRUCache<NodeId, Listing>({
    maxSize: ENTRIES_KEPT,
    sizeCalculation: ({ directories, files }) => 1 + directories.length + files.length,
    dispose: ({ directories }, parent, reason) => {
      if (reason === "set") return;
      for (const id of directories) if (places.get(id)?.parent === parent) places.delete(id);
    },
  });

  /** The directory that a walk enters after `id`: its first child, else the next beside it or above. */
  const directoryAfter = (id: NodeId): NodeId | undefined => {
    const child = listings.peek(id)?.directories[0];
    if (child !== undefined) return child;
    let at = id;
    for (let climbed = 0; climbed < CLIMB_LIMIT; climbed++) {
      const place = places.get(at);
      if (place === undefined) return undefined;
      const sibling = listings.peek(place.parent)?.directories[place.index + 1];
      if (sibling !== undefined) return sibling;
      at = place.parent;
    }
    return undefined;
  };

  /** The page that a walk asks for after one of directory `id`, all before which are known. */
  const pageAfter = (id: NodeId): Page | undefined => {
    const known = listings.peek(id);
    if (known?.next !== undefined && known.isWanted) return { id, offset: known.next };
    const directory = isWalk ? directoryAfter(id) : undefined;
    return directory === undefined ? undefined : { id: directory, offset: 0 };
  };

  let front: NodeId | undefined; // the directory in which the last page that is ready is
  let isWalk = false; // whether it goes on in other directories
  const ready = new Map<NodeId, Set<number>>(); // pages, by where they begin
  let readyCount = 0;
  const forget = ({ id, offset }: Page): boolean => {
    const offsets = ready.get(id);
    if (offsets?.delete(offset) !== true) return false;
    if (offsets.size === 0) ready.delete(id);
    readyCount--;
    return true;
  };
  const pages = takingTurns(async () => {
    if (front === undefined) return false;
    if (readyCount >= (isRow ? PAGES_AHEAD_OF_FILES : isWalk ? PAGES_AHEAD : 1)) return false;
    const page = pageAfter(front);
    front = page?.id;
    if (page === undefined || ready.get(page.id)?.has(page.offset) === true) return false; // damaged ones lie in a circle
    const offsets = ready.get(page.id);
    if (offsets === undefined) ready.set(page.id, new Set([page.offset]));
    else offsets.add(page.offset);
    readyCount++;
    await prepareListing(page);
    if (isRow && page.offset === 0)
      for (let goesOn = true; goesOn;) goesOn = await prepareNextFile(page.id, FIRST_FILES);
    return true;
  });

  /** Where file `id` is, in one of the directories that were listed last. */
  const placeOfFile = (id: NodeId): Place | undefined => {
    let looked = 0;
    for (const [parent, { files }] of listings.entries()) {
      const index = files.indexOf(id);
      if (index >= 0) return { parent, index };
      if (++looked === LISTINGS_SEARCHED) return undefined;
    }
    return undefined;
  };

  /** Prepares one more of the first `limit` files of directory `parent`. Whether there was one. */
  const prepareNextFile = async (parent: NodeId, limit: number): Promise<boolean> => {
    const listing = listings.get(parent);
    if (listing === undefined || listing.preparedFiles >= limit) return false;
    const index = listing.preparedFiles;
    const file = listing.files[index];
    if (file === undefined) return false;
    listing.preparedFiles++;
    listing.sinceMilestone++;
    const isHeard = await prepareFile(file, index === 0 || listing.sinceMilestone >= MILESTONE);
    if (isHeard) listing.sinceMilestone = 0;
    return true;
  };

  let isRow = false; // whether files are opened in the order in which they are listed
  let lastOpened: Place | undefined;
  const files = takingTurns(
    async () =>
      lastOpened !== undefined && prepareNextFile(lastOpened.parent, lastOpened.index + 1 + FILES_AHEAD),
  );

  return {
    learn({ id, offset }, directories, files, following) {
      const known = offset === 0 ? undefined : listings.get(id);
      if (known !== undefined && known.next !== offset) return; // told before, to someone else
      const before = known?.directories.length ?? 0;
      directories.forEach((directory, index) => {
        places.set(directory, { parent: id, index: before + index });
      });
      if (known === undefined) {
        listings.set(id, { ...following, directories, files, preparedFiles: 0, sinceMilestone: 0 });
        return;
      }
      known.directories.push(...directories);
      known.files.push(...files);
      listings.set(id, { ...known, ...following }); // another object, for what has grown is counted anew
    },

    listed(page) {
      const { id, offset } = page;
      if (!forget(page)) {
        if (offset !== 0 && listings.peek(id)?.next === undefined) return; // the question after the last page
        // Not foreseen. A directory whose parent was listed before is the beginning of a walk.
        ready.clear();
        readyCount = 0;
        if (offset === 0) isWalk = places.has(id);
        front = id;
      }
      pages();
      if (isRow && offset === 0) {
        lastOpened = { parent: id, index: -1 };
        files();
      }
    },

    opened(id) {
      const expected = lastOpened && listings.peek(lastOpened.parent)?.files.indexOf(id, lastOpened.index);
      const place =
        expected !== undefined && expected >= 0
          ? { parent: lastOpened!.parent, index: expected }
          : placeOfFile(id);
      if (place === undefined) return;
      // A row goes on in the next directory, and in the one above when that is done.
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

/** How long others may have to wait for their turn, in milliseconds. */
const TURN = 1;

/** Has `step` run again and again, others' work between, until it gives `false` or fails. */
function takingTurns(step: () => Promise<boolean>): () => void {
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
    } catch {
      return; // who asks for it hears why
    } finally {
      isRunning = false;
    }
  };
  return () => void run();
}

/**
 * Looking ahead for whoever walks the tree (find, tar, cp -r): the directories that come next are listed, and the
 * next files of a directory opened, before they are asked for. Nobody waits for it.
 */
import { setImmediate } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { NodeId } from "../../filesystem/filesystem.js";

/** Directories that are listed ahead at most. */
const DIRECTORIES_AHEAD = 32;

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

export interface Ahead {
  /** Some more of what directory `id` holds; `isFirst` where that is the first of it. The lists are given away. */
  learn(id: NodeId, directories: NodeId[], files: NodeId[], isFirst: boolean): void;
  /** Someone has listed directory `id`. */
  listed(id: NodeId): void;
  /** Someone has opened file `id`. */
  opened(id: NodeId): void;
}

/** Where a node stands among its kind in its directory. */
interface Place {
  readonly parent: NodeId;
  readonly index: number;
}

interface Listing {
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
  prepareListing: (id: NodeId) => Promise<void>,
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

  let front: NodeId | undefined; // the directory up to which all are prepared
  const prepared = new Set<NodeId>();
  const directories = takingTurns(async () => {
    if (front === undefined || prepared.size >= DIRECTORIES_AHEAD) return false;
    const next = directoryAfter(front);
    front = next;
    if (next === undefined || prepared.has(next)) return false; // the end; or damaged ones lie in a circle
    prepared.add(next);
    await prepareListing(next);
    if (isRow) for (let goesOn = true; goesOn;) goesOn = await prepareNextFile(next, FIRST_FILES);
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
    learn(id, directories, files, isFirst) {
      const known = isFirst ? undefined : listings.get(id);
      const before = known?.directories.length ?? 0;
      directories.forEach((directory, index) => {
        places.set(directory, { parent: id, index: before + index });
      });
      if (known === undefined) {
        listings.set(id, { directories, files, preparedFiles: 0, sinceMilestone: 0 });
        return;
      }
      known.directories.push(...directories);
      known.files.push(...files);
      listings.set(id, { ...known }); // another object, for what has grown is counted anew
    },

    listed(id) {
      if (!prepared.delete(id)) {
        // Not foreseen. A directory whose parent was listed before is the beginning of a walk.
        prepared.clear();
        front = places.has(id) ? id : undefined;
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

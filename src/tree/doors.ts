/**
 * Directories that are opened when they are entered, and let go of when others have been entered since: what is
 * behind a door takes memory. Its nodes keep their numbers all the same.
 */
import { withinMemory } from "../bytes/memory.js";
import { CorruptError } from "../errors.js";
import { loadingCache } from "../extent/loading.js";
import { NODE_ID_LIMIT, type FileSystem, type NodeId, type NodeTree } from "../filesystem/filesystem.js";
import { FIXTURES_LIMIT, fixtureTree, type DirectoryContents, type Door } from "./fixtures.js";
import type { Numbers, Range } from "./numbers.js";

/** A tree among those that make the whole. */
export interface Branch {
  /** Asked each time that it is needed. */
  tree(): NodeTree | Promise<NodeTree>;
  /** Our own fixtures, whose numbers are those of the whole; others' are a guest's. */
  readonly isOurs: boolean;
  /** Added to the inode numbers that are shown. */
  readonly inodeShift: number;
  /** Whether the tree may be another one when it is asked for again. */
  readonly isLetGo?: boolean;
}

/**
 * Rooms that are kept open: enough to compare a few states side by side. Each takes as much as the caches of its
 * file systems and of its disk, some tens of megabytes when all of it is walked.
 */
const ROOMS_KEPT = Math.max(2, withinMemory(8));

/** What is behind a door. */
interface Room {
  readonly fixtures: NodeTree;
  readonly root: NodeId;
  readonly guests: ReadonlyMap<string, NodeTree>;
}

/**
 * @param branches is given a range for each tree behind a door when that is first opened.
 * @param composed the whole, of which doors are a part.
 * @returns what enters a door, and gives the directory behind it.
 */
export function openDoors(
  branches: Numbers<Branch>,
  composed: NodeTree,
): (door: Door) => Promise<DirectoryContents> {
  const ranges = new Map<Door, Map<string, Range<Branch>>>();
  const rooms = loadingCache<Door, Room>(ROOMS_KEPT, () => 1, openRoom);

  async function openRoom(door: Door): Promise<Room> {
    const { root, owner } = await door.open();
    const own = ranges.get(door) ?? new Map<string, Range<Branch>>();
    ranges.set(door, own);
    const rangeFor = (name: string, length: number, find: (room: Room) => NodeTree | undefined): number => {
      const known = own.get(name) ?? branches.add(length, branchBehind(door, name, find));
      own.set(name, known);
      if (length > known.length) throw changed(name);
      return known.start;
    };
    const guests = new Map<string, NodeTree>();
    const fixtures = fixtureTree(root, owner, {
      start: rangeFor(OWN, FIXTURES_LIMIT, (room) => room.fixtures),
      hang(name, tree) {
        guests.set(name, tree);
        return rangeFor(name, limitOf(tree), (room) => room.guests.get(name)) + tree.root;
      },
      enter,
    });
    return { fixtures, root: fixtures.root, guests };
  }

  function branchBehind(door: Door, name: string, find: (room: Room) => NodeTree | undefined): Branch {
    const treeIn = (room: Room): NodeTree => {
      const tree = find(room);
      if (tree === undefined) throw changed(name);
      return tree;
    };
    return {
      tree() {
        const room = rooms.get(door, undefined);
        return room instanceof Promise ? room.then(treeIn) : treeIn(room);
      },
      isOurs: name === OWN,
      inodeShift: door.inodeShift,
      isLetGo: true,
    };
  }

  async function enter(door: Door): Promise<DirectoryContents> {
    const { root } = await rooms.get(door, undefined);
    return {
      lookup: (name) => composed.lookup(root, name),
      list: (cookie) => composed.list(root, cookie),
    };
  }

  return enter;
}

/** In place of a file system's name, the fixtures'. */
const OWN = "";

/** What the numbers of `tree` do not reach. */
export function limitOf(tree: NodeTree): number {
  return (tree as Partial<FileSystem>).nodeLimit ?? NODE_ID_LIMIT;
}

function changed(name: string): CorruptError {
  return new CorruptError({
    file: name,
    thing: "it is not as it was when it was first entered: the disk is being written to",
    hint: "mount it anew",
  });
}

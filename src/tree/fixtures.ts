/** The part of the tree that is ours: directories, files, links and doors that stand from the start, and never change. */
import type { Timestamp } from "../bytes/time.js";
import { MissingError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import type { Attributes, DirectoryEntry, NodeId, NodeTree } from "../filesystem/filesystem.js";

export interface DirectoryFixture {
  readonly kind: "directory";
  readonly entries: ReadonlyMap<string, Fixture>;
}

export type Fixture =
  | DirectoryFixture
  /** `storedSize`: bytes of the host that it takes, at most; that is what `du` shows. */
  | { readonly kind: "file"; readonly source: BlockSource; readonly storedSize: number }
  | { readonly kind: "symlink"; readonly target: string }
  /** A whole tree; its root stands here as a directory. */
  | { readonly kind: "tree"; readonly tree: NodeTree }
  | Door;

/** A directory whose contents are had when it is entered, and not before. */
export interface Door {
  readonly kind: "door";
  readonly time: Timestamp;
  /** Added to the inode numbers of what is behind it. */
  readonly inodeShift: number;
  /** What is behind it, the same each time. */
  open(): Promise<{ readonly root: DirectoryFixture; readonly owner: FixtureOwner }>;
}

/** What a directory answers, as the methods of NodeTree do. */
export interface DirectoryContents {
  lookup(name: Buffer): Promise<NodeId | undefined>;
  list(cookie: number): Promise<readonly DirectoryEntry[]>;
}

/** What fixtures need to know of the whole that they are a part of. */
export interface FixturePlace {
  /** Their numbers begin behind this one. */
  readonly start: number;
  /** Takes in the tree that is hung up under `name`, and answers the number of its root. */
  readonly hang: (name: string, tree: NodeTree) => NodeId;
  readonly enter: (door: Door) => Promise<DirectoryContents>;
}

/** More than fixtures there can be: partitions, with a file each, and the states of a disk. */
export const FIXTURES_LIMIT = 2 ** 20;

/** Whose the fixtures are, and their one time. */
export interface FixtureOwner {
  readonly uid: number;
  readonly gid: number;
  readonly time: Timestamp;
}

/** Guests count their inodes from below, fixtures theirs from here: 32 bits, as every backend can show. */
const FIRST_INODE = 0xffff_0000;

const BLOCK_SIZE = 4096;
const SECTOR_SIZE = 512;
const NAME_LENGTH_LIMIT = 255;

interface Placed {
  readonly fixture: Fixture;
  readonly entries: readonly DirectoryEntry[];
}

/** The fixtures below `root`, which is the first node of their place. */
export function fixtureTree(
  root: DirectoryFixture,
  owner: FixtureOwner,
  { start, hang, enter }: FixturePlace,
): NodeTree {
  const nodes: Placed[] = [];

  const place = (fixture: Exclude<Fixture, { kind: "tree" }>): NodeId => {
    const number = nodes.push({ fixture, entries: [] });
    const id = start + number;
    if (number >= FIXTURES_LIMIT) throw new RangeError(`more than ${FIXTURES_LIMIT} fixtures`);
    if (fixture.kind !== "directory") return id;
    const entries = [...fixture.entries].map(([name, child], index): DirectoryEntry => {
      const common = { name: Buffer.from(name), cookie: index + 1 };
      if (child.kind === "tree") {
        return { ...common, id: hang(name, child.tree), inode: child.tree.root, type: "directory" };
      }
      const childId = place(child);
      const inode = inodeOf(childId);
      if (child.kind !== "door") return { ...common, id: childId, inode, type: child.kind };
      return { ...common, id: childId, inode, type: "directory", isCostly: true };
    });
    nodes[number - 1] = { fixture, entries };
    return id;
  };

  const inodeOf = (id: NodeId): number => FIRST_INODE + id - start;

  const at = (id: NodeId): Placed => {
    const node = nodes[id - start - 1];
    if (node === undefined) throw new MissingError(`there is no node ${id} in this tree`);
    return node;
  };

  return {
    root: place(root),
    attributes: async (id) => attributesOf(at(id), inodeOf(id), owner),
    async lookup(id, name) {
      const { fixture, entries } = at(id);
      if (fixture.kind === "door") return (await enter(fixture)).lookup(name);
      return entries.find((entry) => entry.name.equals(name))?.id;
    },
    async list(id, cookie) {
      const { fixture, entries } = at(id);
      return fixture.kind === "door" ? (await enter(fixture)).list(cookie) : entries.slice(cookie);
    },
    async readLink(id) {
      const { fixture } = at(id);
      if (fixture.kind !== "symlink") throw new MissingError(`node ${id} is not a symbolic link`);
      return Buffer.from(fixture.target);
    },
    async open(id) {
      const { fixture } = at(id);
      if (fixture.kind !== "file") throw new MissingError(`node ${id} is not a file`);
      return fixture.source;
    },
    extendedAttributes: async () => new Map(),
    usage: async () => ({
      blockSize: BLOCK_SIZE,
      blocks: Math.ceil(Math.max(0, ...nodes.map(({ fixture }) => sizeOf(fixture))) / BLOCK_SIZE),
      freeBlocks: 0,
      availableBlocks: 0,
      files: nodes.length,
      freeFiles: 0,
      maximumNameLength: NAME_LENGTH_LIMIT,
    }),
  };
}

function attributesOf({ fixture, entries }: Placed, inode: number, owner: FixtureOwner): Attributes {
  const isDoor = fixture.kind === "door";
  const isDirectory = fixture.kind === "directory" || isDoor;
  const time = isDoor ? fixture.time : owner.time;
  const stored = fixture.kind === "file" ? Math.min(fixture.storedSize, fixture.source.size) : 0;
  return {
    type: isDirectory || fixture.kind === "tree" ? "directory" : fixture.kind,
    inode,
    permissions: isDirectory ? 0o555 : fixture.kind === "symlink" ? 0o777 : 0o444,
    // 1 is what file systems say that do not count the directories within: find relies on it.
    linkCount: isDirectory && !isDoor ? 2 + entries.filter((entry) => entry.type === "directory").length : 1,
    uid: owner.uid,
    gid: owner.gid,
    size: sizeOf(fixture),
    allocatedSectors: Math.ceil(stored / SECTOR_SIZE),
    blockSize: BLOCK_SIZE,
    accessed: time,
    modified: time,
    changed: time,
  };
}

function sizeOf(fixture: Fixture): number {
  if (fixture.kind === "file") return fixture.source.size;
  return fixture.kind === "symlink" ? Buffer.byteLength(fixture.target) : 0;
}

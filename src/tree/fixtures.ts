/** The part of the tree that is ours: directories, files and links that stand from the start, and never change. */
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
  | { readonly kind: "tree"; readonly tree: NodeTree };

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

/** The fixtures below `root`, which is node 1. `hang` takes a tree in and answers the number of its root. */
export function fixtureTree(
  root: DirectoryFixture,
  owner: FixtureOwner,
  hang: (tree: NodeTree) => NodeId,
): NodeTree {
  const nodes: Placed[] = [];

  const place = (fixture: Exclude<Fixture, { kind: "tree" }>): NodeId => {
    const id = nodes.push({ fixture, entries: [] });
    if (fixture.kind !== "directory") return id;
    const entries = [...fixture.entries].map(([name, child], index): DirectoryEntry => {
      const common = { name: Buffer.from(name), cookie: index + 1 };
      if (child.kind === "tree") {
        return { ...common, id: hang(child.tree), inode: child.tree.root, type: "directory" };
      }
      const childId = place(child);
      return { ...common, id: childId, inode: FIRST_INODE + childId, type: child.kind };
    });
    nodes[id - 1] = { fixture, entries };
    return id;
  };

  const at = (id: NodeId): Placed => {
    const node = nodes[id - 1];
    if (node === undefined) throw new MissingError(`there is no node ${id} in this tree`);
    return node;
  };

  return {
    root: place(root),
    attributes: async (id) => attributesOf(at(id), FIRST_INODE + id, owner),
    lookup: async (id, name) => at(id).entries.find((entry) => entry.name.equals(name))?.id,
    list: async (id, cookie) => at(id).entries.slice(cookie),
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
  const isDirectory = fixture.kind === "directory";
  const stored = fixture.kind === "file" ? Math.min(fixture.storedSize, fixture.source.size) : 0;
  return {
    type: fixture.kind === "tree" ? "directory" : fixture.kind,
    inode,
    permissions: isDirectory ? 0o555 : fixture.kind === "symlink" ? 0o777 : 0o444,
    linkCount: isDirectory ? 2 + entries.filter((entry) => entry.type === "directory").length : 1,
    uid: owner.uid,
    gid: owner.gid,
    size: sizeOf(fixture),
    allocatedSectors: Math.ceil(stored / SECTOR_SIZE),
    blockSize: BLOCK_SIZE,
    accessed: owner.time,
    modified: owner.time,
    changed: owner.time,
  };
}

function sizeOf(fixture: Fixture): number {
  if (fixture.kind === "file") return fixture.source.size;
  return fixture.kind === "symlink" ? Buffer.byteLength(fixture.target) : 0;
}

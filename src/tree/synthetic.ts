/**
 * The nodes of the tree that are not from a guest: `vhdd`, `volN`, `fsN/`, the link to the image, `snapshots/`. Only the bytes
 * of files change.
 */
import type { Timestamp } from "../bytes/time.js";
import { MissingError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { pageOf, type DirectoryEntry } from "../filesystem/entries.js";
import type { Attributes, NodeChange, NodeId, NodeTree } from "../filesystem/filesystem.js";
import type { DirectoryPage, PageOptions } from "../filesystem/page.js";
import type { ChangingTree } from "./changing-tree.js";

export interface SyntheticDirectory {
  readonly kind: "directory";
  readonly entries: ReadonlyMap<string, SyntheticNode>;
}

export type SyntheticNode =
  | SyntheticDirectory
  /** `storedSize`: bytes of the host's files that belong to it, at most; `du` shows them. */
  | { readonly kind: "file"; readonly source: BlockSource; readonly storedSize: number }
  | { readonly kind: "symlink"; readonly target: string }
  /** A guest's whole tree, whose root becomes this directory. */
  | GuestTree
  | LazyDirectory;

export interface GuestTree {
  readonly kind: "tree";
  readonly tree: NodeTree;
  /** The tree after changes, if it can change. */
  readonly changing?: ChangingTree | undefined;
}

/** A directory whose contents are opened only when it is entered. */
export interface LazyDirectory {
  readonly kind: "lazy";
  readonly time: Timestamp;
  /** Added to the inode numbers of its contents. */
  readonly inodeShift: number;
  /** Opens the contents; the same ones each time. */
  open(): Promise<{ readonly root: SyntheticDirectory; readonly owner: Owner }>;
}

/** The methods of NodeTree for one directory. */
export interface DirectoryContents {
  lookup(name: Buffer): Promise<NodeId | undefined>;
  page(cookie: number, options?: PageOptions): Promise<DirectoryPage>;
}

/** The composed tree that synthetic nodes are a part of. */
export interface Surroundings {
  /** The number before their first. */
  readonly start: number;
  /** Adds a guest's tree, which is called `name`. */
  readonly attach: (name: string, guest: GuestTree) => AttachedTree;
  /** Called when nodes have changed. */
  readonly changed: (change: NodeChange) => void;
  readonly enter: (directory: LazyDirectory) => Promise<DirectoryContents>;
}

/** A tree whose nodes have the numbers `[start, end)`. */
export interface AttachedTree {
  readonly root: NodeId;
  readonly start: NodeId;
  readonly end: NodeId;
}

/** There are fewer synthetic nodes: two for each partition, and one for each state of a disk. */
export const SYNTHETIC_LIMIT = 2 ** 20;

/** The owner and the time of all synthetic nodes. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly time: Timestamp;
}

/** The inode number of the first synthetic node. Guests' are lower; 32 bits, since a backend shows no more. */
const FIRST_INODE = 0xffff_0000;

const BLOCK_SIZE = 4096;
const SECTOR_SIZE = 512;
const NAME_LENGTH_LIMIT = 255;

interface Placed {
  readonly node: SyntheticNode;
  readonly entries: readonly DirectoryEntry[];
}

/** The tree of `root` and of the nodes below it. */
export function syntheticTree(
  root: SyntheticDirectory,
  owner: Owner,
  { start, attach, changed, enter }: Surroundings,
): NodeTree {
  const nodes: Placed[] = [];

  const place = (node: Exclude<SyntheticNode, { kind: "tree" }>): NodeId => {
    const number = nodes.push({ node, entries: [] });
    const id = start + number;
    if (number >= SYNTHETIC_LIMIT) throw new RangeError(`more than ${SYNTHETIC_LIMIT} synthetic nodes`);
    if (node.kind !== "directory") return id;
    const entries = [...node.entries].map(([name, child], index): DirectoryEntry => {
      const common = { name: Buffer.from(name), cookie: index + 1 };
      if (child.kind === "tree") {
        const attached = attach(name, child);
        child.changing?.changes.on(nodes, () => {
          changed({
            kind: "subtree",
            parent: id,
            name: common.name,
            start: attached.start,
            end: attached.end,
          });
        });
        return { ...common, id: attached.root, inode: child.tree.root, type: "directory" };
      }
      const childId = place(child);
      if (child.kind === "file") {
        child.source.changes?.on(nodes, ({ offset, length }) => {
          changed({ kind: "contents", id: childId, offset, length });
        });
      }
      const type = child.kind === "lazy" ? "directory" : child.kind;
      return { ...common, id: childId, inode: inodeOf(childId), type };
    });
    nodes[number - 1] = { node, entries };
    return id;
  };

  const inodeOf = (id: NodeId): number => FIRST_INODE + id - start;

  const at = (id: NodeId): Placed => {
    const placed = nodes[id - start - 1];
    if (placed === undefined) throw new MissingError(`there is no node ${id} in this tree`);
    return placed;
  };

  return {
    root: place(root),
    attributes: async (id) => attributesOf(at(id), inodeOf(id), owner),
    async lookup(id, name) {
      const { node, entries } = at(id);
      if (node.kind === "lazy") return (await enter(node)).lookup(name);
      return entries.find((entry) => entry.name.equals(name))?.id;
    },
    async page(id, cookie, options) {
      const { node, entries } = at(id);
      if (node.kind === "lazy") return (await enter(node)).page(cookie, options);
      return pageOf(entries.slice(cookie), true);
    },
    isCostly: (id) => at(id).node.kind === "lazy",
    async readLink(id) {
      const { node } = at(id);
      if (node.kind !== "symlink") throw new MissingError(`node ${id} is not a symbolic link`);
      return Buffer.from(node.target);
    },
    async open(id) {
      const { node } = at(id);
      if (node.kind !== "file") throw new MissingError(`node ${id} is not a file`);
      return node.source;
    },
    extendedAttributes: async () => new Map(),
    usage: async () => ({
      blockSize: BLOCK_SIZE,
      blocks: Math.ceil(Math.max(0, ...nodes.map(({ node }) => sizeOf(node))) / BLOCK_SIZE),
      freeBlocks: 0,
      availableBlocks: 0,
      files: nodes.length,
      freeFiles: 0,
      maximumNameLength: NAME_LENGTH_LIMIT,
    }),
  };
}

function attributesOf({ node, entries }: Placed, inode: number, owner: Owner): Attributes {
  const isLazy = node.kind === "lazy";
  const isDirectory = node.kind === "directory" || isLazy;
  const time = isLazy ? node.time : owner.time;
  const stored = node.kind === "file" ? Math.min(node.storedSize, node.source.size) : 0;
  return {
    type: isDirectory || node.kind === "tree" ? "directory" : node.kind,
    inode,
    permissions: isDirectory ? 0o555 : node.kind === "symlink" ? 0o777 : 0o444,
    // A link count of 1 means that subdirectories are not counted, as find understands it.
    linkCount: isDirectory && !isLazy ? 2 + entries.filter((entry) => entry.type === "directory").length : 1,
    uid: owner.uid,
    gid: owner.gid,
    size: sizeOf(node),
    allocatedSectors: Math.ceil(stored / SECTOR_SIZE),
    blockSize: BLOCK_SIZE,
    accessed: time,
    modified: time,
    changed: time,
  };
}

function sizeOf(node: SyntheticNode): number {
  if (node.kind === "file") return node.source.size;
  return node.kind === "symlink" ? Buffer.byteLength(node.target) : 0;
}

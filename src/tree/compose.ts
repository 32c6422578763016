/** Several trees as one. A node's number is its number in its own tree, plus the start of that tree's range. */
import {
  extendedAttribute,
  type Attributes,
  type DirectoryEntry,
  type NodeId,
  type NodeTree,
  type EntryVisitor,
} from "../filesystem/filesystem.js";
import { limitOf, lazyDirectories, type Branch } from "./lazy-directories.js";
import { SYNTHETIC_LIMIT, syntheticTree, type SyntheticDirectory, type Owner } from "./synthetic.js";
import { weakSource } from "./weak-source.js";
import { idRanges, type IdRanges, type Range } from "./id-ranges.js";

export interface ComposedTree extends NodeTree {
  /** An object that stands for the guest's file system to which the node belongs; undefined for a synthetic node. */
  guestOf(id: NodeId): object | undefined;
}

/** The tree of `root`, with the guests' trees in it. Its root is node 1, as FUSE demands. */
export function composeTree(root: SyntheticDirectory, owner: Owner): ComposedTree {
  const branches = idRanges<Branch>();
  const composed = dispatch(branches);
  const enter = lazyDirectories(branches, composed);
  const { start } = branches.add(SYNTHETIC_LIMIT, {
    tree: () => synthetic,
    isSynthetic: true,
    inodeShift: 0,
  });
  const synthetic = syntheticTree(root, owner, {
    start,
    attach: (_, tree) => {
      const branch: Branch = { tree: () => tree, isSynthetic: false, inodeShift: 0 };
      return branches.add(limitOf(tree), branch).start + tree.root;
    },
    enter,
  });
  return composed;
}

/** The tree that passes each call on to the tree in whose range the node's number is. */
function dispatch(branches: IdRanges<Branch>): ComposedTree {
  const at = (id: NodeId): { range: Range<Branch>; branch: Branch; inner: NodeId } => {
    const range = branches.rangeOf(id);
    return { range, branch: range.of, inner: range.of.isSynthetic ? id : id - range.start };
  };
  return {
    root: 1,
    guestOf(id) {
      const { of } = branches.rangeOf(id);
      return of.isSynthetic ? undefined : of;
    },
    attributes(id) {
      const { branch, inner } = at(id);
      const tree = branch.tree();
      if (!(tree instanceof Promise)) return shifted(tree.attributes(inner), branch);
      return tree.then((opened) => shifted(opened.attributes(inner), branch));
    },
    async lookup(id, name, signal) {
      const { range, branch, inner } = at(id);
      const found = await (await branch.tree()).lookup(inner, name, signal);
      return found === undefined ? undefined : join(range, found);
    },
    async list(id, cookie, limit, signal) {
      const { range, branch, inner } = at(id);
      const entries = await (await branch.tree()).list(inner, cookie, limit, signal);
      if (branch.isSynthetic && branch.inodeShift === 0) return entries;
      return entries.map((entry) => joinEntry(range, entry));
    },
    async visit(id, cookie, visitor, signal) {
      const { range, branch, inner } = at(id);
      const { inodeShift } = branch;
      const tree = await branch.tree();
      const joined: EntryVisitor = (entry) => {
        if (entry.problem === undefined) entry.id = join(range, entry.id);
        entry.inode += inodeShift;
        if (inodeShift !== 0 && entry.attributes !== undefined)
          entry.attributes = shift(entry.attributes, inodeShift);
        return visitor(entry);
      };
      return tree.visit?.(inner, cookie, joined, signal);
    },
    parentInode(id) {
      const { branch, inner } = at(id);
      const tree = branch.tree();
      // The root of a tree lies in another one.
      if (tree instanceof Promise || inner === tree.root) return undefined;
      const inode = tree.parentInode?.(inner);
      return inode === undefined ? undefined : inode + branch.inodeShift;
    },
    async readLink(id) {
      const { branch, inner } = at(id);
      return (await branch.tree()).readLink(inner);
    },
    async open(id) {
      const { branch, inner } = at(id);
      const open = async () => (await branch.tree()).open(inner);
      return branch.isEvictable === true ? weakSource(await open(), open) : open();
    },
    async extendedAttributes(id) {
      const { branch, inner } = at(id);
      return (await branch.tree()).extendedAttributes(inner);
    },
    async extendedAttribute(id, name) {
      const { branch, inner } = at(id);
      return extendedAttribute(await branch.tree(), inner, name);
    },
    async usage(id) {
      const { branch, inner } = at(id);
      return (await branch.tree()).usage(inner);
    },
  };
}

function join({ start, length, of }: Range<Branch>, inner: NodeId): NodeId {
  if (of.isSynthetic) return inner;
  if (!(inner < length)) throw new RangeError(`node ${inner} of a tree that has none from ${length} on`);
  return start + inner;
}

function joinEntry(range: Range<Branch>, entry: DirectoryEntry): DirectoryEntry {
  if (entry.problem !== undefined) return entry;
  const {
    name,
    id: inner,
    inode: guestInode = inner,
    type,
    attributes: guestAttributes,
    cookie,
    isLast,
  } = entry;
  const { inodeShift } = range.of;
  const id = join(range, inner);
  const inode = guestInode + inodeShift;
  const attributes =
    guestAttributes === undefined || inodeShift === 0 ? guestAttributes : shift(guestAttributes, inodeShift);
  return { name, id, inode, type, attributes, cookie, isLast };
}

function shifted(
  attributes: Attributes | Promise<Attributes>,
  { inodeShift }: Branch,
): Attributes | Promise<Attributes> {
  if (inodeShift === 0) return attributes;
  if (!(attributes instanceof Promise)) return shift(attributes, inodeShift);
  return attributes.then((guests) => shift(guests, inodeShift));
}

function shift(attributes: Attributes, inodeShift: number): Attributes {
  return { ...attributes, inode: attributes.inode + inodeShift };
}

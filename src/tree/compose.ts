/** Several trees as one. A node's number is that in its own tree, counted from where the numbers of that tree begin. */
import {
  extendedAttribute,
  type Attributes,
  type DirectoryEntry,
  type NodeId,
  type NodeTree,
  type Take,
} from "../filesystem/filesystem.js";
import { limitOf, openDoors, type Branch } from "./doors.js";
import { FIXTURES_LIMIT, fixtureTree, type DirectoryFixture, type FixtureOwner } from "./fixtures.js";
import { lastingSource } from "./lasting.js";
import { numbers, type Numbers, type Range } from "./numbers.js";

export interface ComposedTree extends NodeTree {
  /** What all nodes of one guest's file system, and no others, have in common; undefined of a node that is ours. */
  guestOf(id: NodeId): object | undefined;
}

/** The tree of `root`, with the trees that are hung up in it. Its root is node 1, as FUSE wants it. */
export function composeTree(root: DirectoryFixture, owner: FixtureOwner): ComposedTree {
  const branches = numbers<Branch>();
  const composed = dispatch(branches);
  const enter = openDoors(branches, composed);
  const { start } = branches.add(FIXTURES_LIMIT, { tree: () => fixtures, isOurs: true, inodeShift: 0 });
  const fixtures = fixtureTree(root, owner, {
    start,
    hang: (_, tree) => {
      const branch: Branch = { tree: () => tree, isOurs: false, inodeShift: 0 };
      return branches.add(limitOf(tree), branch).start + tree.root;
    },
    enter,
  });
  return composed;
}

/** The tree that asks the one whose range a node's number is in. */
function dispatch(branches: Numbers<Branch>): ComposedTree {
  const at = (id: NodeId): { range: Range<Branch>; branch: Branch; inner: NodeId } => {
    const range = branches.rangeOf(id);
    return { range, branch: range.of, inner: range.of.isOurs ? id : id - range.start };
  };
  return {
    root: 1,
    guestOf(id) {
      const { of } = branches.rangeOf(id);
      return of.isOurs ? undefined : of;
    },
    attributes(id) {
      const { branch, inner } = at(id);
      const tree = branch.tree();
      if (!(tree instanceof Promise)) return shown(tree.attributes(inner), branch);
      return tree.then((opened) => shown(opened.attributes(inner), branch));
    },
    async lookup(id, name, signal) {
      const { range, branch, inner } = at(id);
      const found = await (await branch.tree()).lookup(inner, name, signal);
      return found === undefined ? undefined : join(range, found);
    },
    async list(id, cookie, limit, signal) {
      const { range, branch, inner } = at(id);
      const entries = await (await branch.tree()).list(inner, cookie, limit, signal);
      if (branch.isOurs && branch.inodeShift === 0) return entries;
      return entries.map((entry) => joinEntry(range, entry));
    },
    async lend(id, cookie, take, signal) {
      const { range, branch, inner } = at(id);
      const { inodeShift } = branch;
      const tree = await branch.tree();
      const joined: Take = (entry) => {
        if (entry.problem === undefined) entry.id = join(range, entry.id);
        entry.inode += inodeShift;
        if (inodeShift !== 0 && entry.attributes !== undefined)
          entry.attributes = shift(entry.attributes, inodeShift);
        return take(entry);
      };
      return tree.lend?.(inner, cookie, joined, signal);
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
      return branch.isLetGo === true ? lastingSource(await open(), open) : open();
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
  if (of.isOurs) return inner;
  if (!(inner < length)) throw new RangeError(`node ${inner} of a tree that has none from ${length} on`);
  return start + inner;
}

function joinEntry(range: Range<Branch>, entry: DirectoryEntry): DirectoryEntry {
  if (entry.problem !== undefined) return entry;
  const { name, id: inner, inode: told = inner, type, attributes: guests, cookie, isLast } = entry;
  const { inodeShift } = range.of;
  const id = join(range, inner);
  const inode = told + inodeShift;
  const attributes = guests === undefined || inodeShift === 0 ? guests : shift(guests, inodeShift);
  return { name, id, inode, type, attributes, cookie, isLast };
}

function shown(
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

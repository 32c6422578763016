/** Several trees as one. A node's number is its number in its own tree, plus the start of that tree's range. */
import { ChangeFeed, type Changes } from "../bytes/changes.js";
import { NO_NODE } from "../filesystem/damaged-entry.js";
import { extendedAttribute, type NodeChange, type NodeId, type NodeTree } from "../filesystem/filesystem.js";
import type { DirectoryPage } from "../filesystem/page.js";
import { limitOf, openTree } from "./changing-tree.js";
import { lazyDirectories, type Branch } from "./lazy-directories.js";
import { SYNTHETIC_LIMIT, syntheticTree, type SyntheticDirectory, type Owner } from "./synthetic.js";
import { weakSource } from "./weak-source.js";
import { idRanges, type IdRanges, type Range } from "./id-ranges.js";

export interface ComposedTree extends NodeTree {
  /** An object that identifies the guest's file system to which the node belongs; undefined for a synthetic node. */
  guestOf(id: NodeId): object | undefined;
}

/** The tree of `root`, with the guests' trees in it. Its root is node 1, as FUSE requires. */
export function composeTree(root: SyntheticDirectory, owner: Owner): ComposedTree {
  const branches = idRanges<Branch>();
  const changes = new ChangeFeed<NodeChange>();
  const changed = (change: NodeChange): void => {
    changes.emit(change);
  };
  const composed = dispatch(branches, canChange(root) ? changes : undefined);
  const enter = lazyDirectories(branches, composed, changed);
  const { start } = branches.add(SYNTHETIC_LIMIT, {
    peek: () => synthetic,
    open: async () => synthetic,
    isSynthetic: true,
    inodeShift: 0,
  });
  const synthetic = syntheticTree(root, owner, {
    start,
    attach(_, { tree, changing = openTree(tree) }) {
      const branch: Branch = { ...changing, isSynthetic: false, inodeShift: 0 };
      const { start, length } = branches.add(limitOf(tree), branch);
      return { root: start + tree.root, start, end: start + length };
    },
    changed,
    enter,
  });
  return composed;
}

/** Whether anything in `directory` can change. Lazy directories, which show the same disk, change only if it does. */
function canChange({ entries }: SyntheticDirectory): boolean {
  return [...entries.values()].some((node) => {
    if (node.kind === "file") return node.source.changes !== undefined;
    if (node.kind === "tree") return node.changing !== undefined;
    return node.kind === "directory" && canChange(node);
  });
}

/** The tree that passes each call on to the tree in whose range the node's number is. */
function dispatch(branches: IdRanges<Branch>, changes: Changes<NodeChange> | undefined): ComposedTree {
  const at = (id: NodeId): { range: Range<Branch>; branch: Branch; inner: NodeId } => {
    const range = branches.rangeOf(id);
    return { range, branch: range.of, inner: range.of.isSynthetic ? id : id - range.start };
  };
  return {
    root: 1,
    changes,
    guestOf(id) {
      const { of } = branches.rangeOf(id);
      return of.isSynthetic ? undefined : of;
    },
    async attributes(id) {
      const { branch, inner } = at(id);
      const attributes = await (await treeOf(branch)).attributes(inner);
      const { inodeShift } = branch;
      return inodeShift === 0 ? attributes : { ...attributes, inode: attributes.inode + inodeShift };
    },
    async lookup(id, name, signal) {
      const { range, branch, inner } = at(id);
      const found = await (await treeOf(branch)).lookup(inner, name, signal);
      return found === undefined ? undefined : join(range, found);
    },
    async page(id, cookie, options) {
      const { range, branch, inner } = at(id);
      const page = await (await treeOf(branch)).page(inner, cookie, options);
      return joinPage(range, page);
    },
    isCostly(id) {
      const { branch, inner } = at(id);
      // A guest's tree has no directory that is costly.
      return branch.isSynthetic && branch.peek()?.isCostly?.(inner) === true;
    },
    parentInode(id) {
      const { branch, inner } = at(id);
      const tree = branch.peek();
      // The root of a tree lies in another one.
      if (tree === undefined || inner === tree.root) return undefined;
      const inode = tree.parentInode?.(inner);
      return inode === undefined ? undefined : inode + branch.inodeShift;
    },
    async readLink(id) {
      const { branch, inner } = at(id);
      return (await treeOf(branch)).readLink(inner);
    },
    async open(id) {
      const { branch, inner } = at(id);
      const open = async () => (await treeOf(branch)).open(inner);
      return branch.isEvictable === true ? weakSource(await open(), open) : open();
    },
    async extendedAttributes(id) {
      const { branch, inner } = at(id);
      return (await treeOf(branch)).extendedAttributes(inner);
    },
    async extendedAttribute(id, name) {
      const { branch, inner } = at(id);
      return extendedAttribute(await treeOf(branch), inner, name);
    },
    async usage(id) {
      const { branch, inner } = at(id);
      return (await treeOf(branch)).usage(inner);
    },
  };
}

async function treeOf(branch: Branch): Promise<NodeTree> {
  return branch.peek() ?? branch.open();
}

function join({ start, length, of }: Range<Branch>, inner: NodeId): NodeId {
  if (of.isSynthetic) return inner;
  if (!(inner < length)) throw new RangeError(`node ${inner} of a tree that has none from ${length} on`);
  return start + inner;
}

/** `page`, whose nodes have their numbers in their own tree, with those in the composed tree. */
function joinPage(range: Range<Branch>, page: DirectoryPage): DirectoryPage {
  const { isSynthetic, inodeShift } = range.of;
  if (isSynthetic && inodeShift === 0) return page;
  const { count, ids, inodes } = page;
  const joinedIds = ids.slice(0, count);
  for (let index = 0; index < count; index++)
    if (ids[index] !== NO_NODE) joinedIds[index] = join(range, ids[index]!);
  if (inodeShift === 0) return { ...page, ids: joinedIds };
  return {
    ...page,
    ids: joinedIds,
    inodes: inodes.map((inode) => inode + inodeShift),
    readAttributes(index, into) {
      if (!page.readAttributes(index, into)) return false;
      into.inode += inodeShift;
      return true;
    },
  };
}

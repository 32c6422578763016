/**
 * Several trees as one. A node's number is the slot of its tree and its number within that tree: nothing has to
 * be remembered about a node, and its number never changes.
 */
import { MissingError } from "../errors.js";
import { extendedAttribute, NODE_ID_LIMIT, type NodeId, type NodeTree } from "../filesystem/filesystem.js";
import { fixtureTree, type DirectoryFixture, type FixtureOwner } from "./fixtures.js";

/** The tree of `root`, with the trees that are hung up in it. Its root is node 1, as FUSE wants it. */
export function composeTree(root: DirectoryFixture, owner: FixtureOwner): NodeTree {
  // Slot 0 is the fixtures'; the trees that they hold get the slots from 1.
  const hung: NodeTree[] = [];
  const fixtures = fixtureTree(root, owner, (tree) => join(hung.push(tree), tree.root));
  return dispatch([fixtures, ...hung]);
}

/** The slot that node `id` lies in: all nodes of one guest file system share one. */
export function slotOf(id: NodeId): number {
  return Math.floor(id / NODE_ID_LIMIT);
}

function dispatch(trees: readonly NodeTree[]): NodeTree {
  const at = (id: NodeId): { tree: NodeTree; inner: NodeId; slot: number } => {
    const slot = slotOf(id);
    const tree = trees[slot];
    if (tree === undefined) throw new MissingError(`there is no node ${id} in this tree`);
    return { tree, inner: id - slot * NODE_ID_LIMIT, slot };
  };
  return {
    root: 1,
    attributes(id) {
      const { tree, inner } = at(id);
      return tree.attributes(inner);
    },
    async lookup(id, name) {
      const { tree, inner, slot } = at(id);
      const found = await tree.lookup(inner, name);
      return found === undefined ? undefined : join(slot, found);
    },
    async list(id, cookie) {
      const { tree, inner, slot } = at(id);
      const entries = await tree.list(inner, cookie);
      if (slot === 0) return entries;
      return entries.map(({ name, id: inner, inode = inner, type, attributes, cookie }) => {
        return { name, id: join(slot, inner), inode, type, attributes, cookie };
      });
    },
    async readLink(id) {
      const { tree, inner } = at(id);
      return tree.readLink(inner);
    },
    async open(id) {
      const { tree, inner } = at(id);
      return tree.open(inner);
    },
    async extendedAttributes(id) {
      const { tree, inner } = at(id);
      return tree.extendedAttributes(inner);
    },
    async extendedAttribute(id, name) {
      const { tree, inner } = at(id);
      return extendedAttribute(tree, inner, name);
    },
    async usage(id) {
      const { tree, inner } = at(id);
      return tree.usage(inner);
    },
  };
}

function join(slot: number, inner: NodeId): NodeId {
  return slot * NODE_ID_LIMIT + inner;
}

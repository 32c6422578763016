/** The parents of directories, whose inode numbers ".." shows. */
import { LRUCache } from "lru-cache";
import type { NodeId, NodeTree } from "../../filesystem/filesystem.js";

/** Directories whose parents are remembered. */
const PARENTS_KEPT = 2 ** 13;

export interface Parents {
  /** Records that directory `id` was listed or looked up in directory `parent`. */
  set(id: NodeId, parent: NodeId): void;
  /**
   * The inode number that ".." of directory `id` shows: what the file system has on disk, or else that of the directory
   * in which `id` was found. Undefined if neither is known any more.
   */
  inodeOf(id: NodeId): Promise<number | undefined>;
}

export function parentsIn(tree: NodeTree): Parents {
  const parents = new LRUCache<NodeId, NodeId>({ max: PARENTS_KEPT });
  return {
    set(id, parent) {
      parents.set(id, parent);
    },
    async inodeOf(id) {
      const inode = tree.parentInode?.(id);
      if (inode !== undefined) return inode;
      const parent = id === tree.root ? id : parents.get(id);
      return parent === undefined ? undefined : (await tree.attributes(parent)).inode;
    },
  };
}

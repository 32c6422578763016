/** Guests' trees whose volume may change: they are opened again after each change. */
import type { Changes } from "../bytes/changes.js";
import { CorruptError, MissingError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { NODE_ID_LIMIT, type FileSystem, type NodeTree } from "../filesystem/filesystem.js";

/** A tree that is open, or can be opened. */
export interface OpenableTree {
  /** The tree, if it is open. */
  peek(): NodeTree | undefined;
  /** The tree, which is opened if necessary. */
  open(): Promise<NodeTree>;
}

export interface ChangingTree extends OpenableTree {
  /** Called after a change: any of the tree's nodes may be another. */
  readonly changes: Changes<unknown>;
}

/** `tree`, which never changes. */
export function openTree(tree: NodeTree): OpenableTree {
  return { peek: () => tree, open: async () => tree };
}

/**
 * The file system on `volume`, which is open as `first`, and which `reopen` opens again after each change. Its caches hold
 * structures of many kinds that depend on one another, so that all of them are dropped with it.
 * @returns undefined if the volume never changes.
 */
export function changingTree(
  volume: BlockSource,
  first: FileSystem,
  reopen: () => Promise<FileSystem | undefined>,
): ChangingTree | undefined {
  const { changes } = volume;
  if (changes === undefined) return undefined;
  const limit = limitOf(first);
  let current: NodeTree | undefined = first;
  let opening: Promise<NodeTree> | undefined;

  async function openAgain(): Promise<NodeTree> {
    const opened = await reopen();
    if (opened === undefined) {
      throw new MissingError({ file: volume.name, thing: "the file system was removed from this volume" });
    }
    if (limitOf(opened) > limit) {
      const thing = "the file system on this volume was replaced by a larger one";
      throw new CorruptError({ file: volume.name, thing, hint: "mount it again" });
    }
    return opened;
  }

  const tree: ChangingTree = {
    changes,
    peek: () => current,
    open() {
      if (current !== undefined) return Promise.resolve(current);
      if (opening !== undefined) return opening;
      const own = openAgain();
      opening = own;
      own.then(
        (opened) => {
          if (opening === own) current = opened;
        },
        () => undefined, // each access fails with it until the next change
      );
      return own;
    },
  };
  changes.on(tree, () => {
    current = undefined;
    opening = undefined;
  });
  return tree;
}

/** All numbers of `tree` are below this. */
export function limitOf(tree: NodeTree): number {
  return (tree as Partial<FileSystem>).nodeLimit ?? NODE_ID_LIMIT;
}

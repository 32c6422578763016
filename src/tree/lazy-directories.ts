/**
 * Lazy directories: their contents are opened when they are entered, and closed when several others have been entered since,
 * because open contents take memory. Their nodes keep their numbers when they are opened again.
 */
import { withinMemory } from "../bytes/memory.js";
import { CorruptError } from "../errors.js";
import { loadingCache } from "../extent/loading.js";
import type { NodeChange, NodeId, NodeTree } from "../filesystem/filesystem.js";
import { limitOf, openTree, type OpenableTree } from "./changing-tree.js";
import type { IdRanges, Range } from "./id-ranges.js";
import { SYNTHETIC_LIMIT, syntheticTree, type DirectoryContents, type LazyDirectory } from "./synthetic.js";

/** One of the trees that make up the composed tree. */
export interface Branch extends OpenableTree {
  /** Whether it is a tree of synthetic nodes, which have the composed tree's numbers; others are a guest's. */
  readonly isSynthetic: boolean;
  /** Added to the inode numbers that users see. */
  readonly inodeShift: number;
  /** Whether the tree may be closed and opened again between two calls of `open`. */
  readonly isEvictable?: boolean;
}

/**
 * Lazy directories that stay open: enough to compare a few states with each other. Each takes as much memory as the
 * caches of its file systems and of its disk, some tens of megabytes when all of it has been walked.
 */
const OPEN_LIMIT = Math.max(2, withinMemory(8));

/** The open contents of a lazy directory: its synthetic nodes, and the guests' trees among them, by name. */
interface Contents {
  readonly synthetic: OpenableTree;
  readonly root: NodeId;
  readonly guests: ReadonlyMap<string, OpenableTree>;
}

/**
 * @param branches gets a range for each tree of a lazy directory when the directory is first entered.
 * @param composed the tree of which the lazy directories are a part.
 * @param changed called when nodes of a lazy directory have changed.
 * @returns opens the contents of a lazy directory.
 */
export function lazyDirectories(
  branches: IdRanges<Branch>,
  composed: NodeTree,
  changed: (change: NodeChange) => void,
): (directory: LazyDirectory) => Promise<DirectoryContents> {
  const ranges = new Map<LazyDirectory, Map<string, Range<Branch>>>();
  const contents = loadingCache<LazyDirectory, Contents>(OPEN_LIMIT, () => 1, openContents);

  async function openContents(directory: LazyDirectory): Promise<Contents> {
    const { root, owner } = await directory.open();
    const own = ranges.get(directory) ?? new Map<string, Range<Branch>>();
    ranges.set(directory, own);
    const rangeFor = (
      name: string,
      length: number,
      treeIn: (contents: Contents) => OpenableTree | undefined,
    ): Range<Branch> => {
      const known = own.get(name) ?? branches.add(length, branchWithin(directory, name, treeIn));
      own.set(name, known);
      if (length > known.length) throw changedError(name);
      return known;
    };
    const guests = new Map<string, OpenableTree>();
    const synthetic = syntheticTree(root, owner, {
      start: rangeFor(SYNTHETIC, SYNTHETIC_LIMIT, (contents) => contents.synthetic).start,
      attach(name, { tree, changing }) {
        guests.set(name, changing ?? openTree(tree));
        const { start, length } = rangeFor(name, limitOf(tree), (contents) => contents.guests.get(name));
        return { root: start + tree.root, start, end: start + length };
      },
      changed,
      enter,
    });
    return { synthetic: openTree(synthetic), root: synthetic.root, guests };
  }

  function branchWithin(
    directory: LazyDirectory,
    name: string,
    treeIn: (contents: Contents) => OpenableTree | undefined,
  ): Branch {
    const found = (contents: Contents): OpenableTree => {
      const tree = treeIn(contents);
      if (tree === undefined) throw changedError(name);
      return tree;
    };
    return {
      peek() {
        const opened = contents.peek(directory);
        return opened && found(opened).peek();
      },
      open: async () => found(await contents.load(directory, undefined)).open(),
      isSynthetic: name === SYNTHETIC,
      inodeShift: directory.inodeShift,
      isEvictable: true,
    };
  }

  async function enter(directory: LazyDirectory): Promise<DirectoryContents> {
    const { root } = await contents.load(directory, undefined);
    return {
      lookup: (name) => composed.lookup(root, name),
      page: (cookie, options) => composed.page(root, cookie, options),
    };
  }

  return enter;
}

/** In the place of the name of a file system: the synthetic nodes. */
const SYNTHETIC = "";

function changedError(name: string): CorruptError {
  return new CorruptError({
    file: name,
    thing: "it is not as it was when it was first entered: the disk is being written to",
    hint: "mount it again",
  });
}

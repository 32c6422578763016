/** Pages of a directory: the replies to READDIR and READDIRPLUS. */
import type { StopSignal } from "../../extent/time-slice.js";
import { DiskError } from "../../errors.js";
import type { Attributes, EntryView, NodeId, NodeTree, NodeType } from "../../filesystem/filesystem.js";
import {
  AFTER_DOT,
  AFTER_DOT_DOT,
  direntSize,
  pageBody,
  writeDirent,
  writeDirentAttributes,
  writeDirentInode,
} from "../protocol/directory.js";
import { HEADER_SIZE, reply } from "../protocol/reply.js";
import { entriesOf } from "./listing.js";
import type { Parents } from "./parents.js";

/** Bytes that the C library requests of a directory at once: the size of prefetched pages. */
export const USUAL_SIZE = 32 * 2 ** 10;

/** Bytes of a short page, and about as many entries as fit into it. */
const SHORT_SIZE = 4096;
const SHORT_COUNT = 32;

/** Buffers for replies under construction that are kept. */
const DRAFTS_KEPT = 4;

export interface Page {
  /** The reply, with space for its header. */
  readonly out: Buffer;
  /** The cookie of its last entry; undefined for an empty page. */
  readonly last: number | undefined;
  /** Whether no entries follow. */
  readonly isEnd: boolean;
  readonly isShort: boolean;
  /** Its directories, regular files and symbolic links that may be prefetched. */
  readonly directories: NodeId[];
  readonly files: NodeId[];
  readonly links: NodeId[];
}

/**
 * Reads the page of directory `id` from `offset` on, of `size` bytes at most. Undefined if not one entry fits.
 * @param plus whether each entry has its attributes (READDIRPLUS).
 * @param isShort reads only a few entries, without attributes.
 * @throws {Interrupted} once `signal` is aborted.
 */
export type ReadPage = (
  id: NodeId,
  offset: number,
  size: number,
  plus: boolean,
  isShort: boolean,
  signal?: StopSignal,
) => Promise<Page | undefined>;

/** @param report logs an error. */
export function pageReader(tree: NodeTree, report: (error: unknown) => unknown, parents: Parents): ReadPage {
  const visit = entriesOf(tree);

  /** Undefined if they are damaged: the entry is listed without them, and a request for them fails with EIO. */
  const attributesOf = (id: NodeId): Attributes | undefined | Promise<Attributes | undefined> => {
    try {
      const attributes = tree.attributes(id);
      if (!(attributes instanceof Promise)) return attributes;
      return attributes.catch((error: unknown) => {
        report(error);
        return undefined;
      });
    } catch (error) {
      report(error);
      return undefined;
    }
  };

  /** The inode number that the ".." of directory `id` shows; undefined if it is not known. */
  const parentInode = (id: NodeId): number | undefined | Promise<number | undefined> => {
    const ignore = (error: unknown): undefined => {
      if (!(error instanceof DiskError)) report(error);
      return undefined;
    };
    try {
      const inode = parents.inodeOf(id);
      return inode instanceof Promise ? inode.catch(ignore) : inode;
    } catch (error) {
      ignore(error);
      return undefined;
    }
  };

  /** Buffers in which replies are written: most replies are shorter, and are copied out of them. */
  const drafts: Buffer[] = [];

  return async (id, offset, size, plus, isShort, signal) => {
    const limit = isShort ? Math.min(size, SHORT_SIZE) : size;
    const draft = drafts.pop() ?? reply(USUAL_SIZE);
    const out = limit <= USUAL_SIZE ? draft.fill(0) : reply(limit);
    const words = pageBody(out);
    const ids: NodeId[] = [];
    const types: (NodeType | undefined)[] = [];
    const waiting: Promise<void>[] = [];
    let [used, isFull, parentAt] = [0, false, -1];
    let last: number | undefined;
    let ownInode: number | undefined;

    const complete = (index: number, at: number, id: NodeId, attributes: Attributes | undefined): void => {
      if (attributes === undefined) return;
      writeDirentAttributes(words, at, id, attributes, plus);
      types[index] = attributes.type;
      if (index === 0 && offset === 0) ownInode = attributes.inode; // of "."
    };

    const add = (entry: EntryView): boolean => {
      const { id, type, cookie, attributes: known, problem } = entry;
      const at = used;
      const end = at + direntSize(entry, plus);
      isFull = end > limit;
      if (isFull) return false;
      used = end;
      last = cookie;
      writeDirent(words, at, entry, plus);
      const index = types.push(type) - 1;
      if (problem !== undefined) {
        // Node number 0 makes the kernel look the name up, which fails with the same error. Source: fs/fuse/readdir.c.
        report(problem);
        ids.push(NOT_PREFETCHED);
        return true;
      }
      const isDots = cookie === AFTER_DOT || cookie === AFTER_DOT_DOT;
      ids.push(isDots || entry.isCostly ? NOT_PREFETCHED : id);
      if (cookie === AFTER_DOT_DOT) {
        parentAt = at;
        return true;
      }
      const attributes = known ?? (isShort && type !== undefined ? undefined : attributesOf(id));
      if (attributes === undefined && isShort) writeDirentInode(words, at, entry.inode, plus);
      if (attributes instanceof Promise)
        waiting.push(
          attributes.then((read) => {
            complete(index, at, id, read);
          }),
        );
      else complete(index, at, id, attributes);
      return true;
    };

    const isEnd = await visit(id, offset, add, isShort ? SHORT_COUNT : undefined, signal);
    if (waiting.length > 0) await Promise.all(waiting);
    if (isFull && used === 0) return undefined;
    if (parentAt >= 0) {
      const found = id === tree.root && ownInode !== undefined ? ownInode : parentInode(id);
      const parent = found instanceof Promise ? await found : found;
      if (parent !== undefined) writeDirentInode(words, parentAt, parent, plus);
    }
    const page: Page = {
      ...{ out: Buffer.from(out.subarray(0, HEADER_SIZE + used)), last, isEnd, isShort },
      ...{ directories: [], files: [], links: [] },
    };
    if (!isShort) sort(page, id, ids, types);
    if (drafts.length < DRAFTS_KEPT) drafts.push(draft);
    return page;
  };

  /** Sorts the entries of `page` of directory `parent` by type. */
  function sort(
    { directories, files, links }: Page,
    parent: NodeId,
    ids: readonly NodeId[],
    types: readonly (NodeType | undefined)[],
  ): void {
    for (let index = 0; index < ids.length; index++) {
      const child = ids[index]!;
      if (child === NOT_PREFETCHED) continue;
      if (types[index] === "file") files.push(child);
      else if (types[index] === "directory") {
        directories.push(child);
        parents.set(child, parent);
      } else if (types[index] === "symlink") links.push(child);
    }
  }
}

/** In the place of a node that must not be prefetched. */
const NOT_PREFETCHED = -1;

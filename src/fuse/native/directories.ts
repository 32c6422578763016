/** Directories: OPENDIR, READDIR, READDIRPLUS. */
import { LRUCache } from "lru-cache";
import { DiskError } from "../../errors.js";
import type { StopSignal } from "../../extent/time-slice.js";
import type { Attributes, EntryView, NodeId, NodeTree, NodeType } from "../../filesystem/filesystem.js";
import { Errno } from "../errno.js";
import {
  AFTER_DOT,
  AFTER_DOT_DOT,
  direntSize,
  pageOf,
  writeDirent,
  writeDirentAttributes,
  writeDirentInode,
} from "../protocol/directory.js";
import { MAX_READ } from "../protocol/init.js";
import { body, HEADER_SIZE, reply, replyWith, writeU32le } from "../protocol/reply.js";
import { Opcode, ReadIn } from "../protocol/request.js";
import type { Ahead } from "./ahead.js";
import type { Handlers } from "./handler.js";
import { entriesOf } from "./listing.js";
import type { Parents } from "./parents.js";
import type { Threads } from "./threads.js";

/** FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR: the kernel keeps the entries, and what it has of them stays valid. */
const CACHE_DIR = (1 << 1) | (1 << 3);

/** Bytes that the C library requests of a directory at once: pages are prefetched in this size. */
const USUAL_SIZE = 32 * 2 ** 10;

/** Directories whose next page is prefetched, or will be. */
const UNFINISHED_COUNT = 64;

/** Ends of pages from which a program is expected to read on. */
const PAGE_ENDS_KEPT = 1024;

/** Bytes of a page for a program that has sought to its start, and about as many entries as fit into it. */
const SOUGHT_SIZE = 4096;
const SOUGHT_COUNT = 32;

/** In the place of a node that is not prefetched. */
const NOT_AHEAD = -1;

/** Buffers for replies under construction that are kept. */
const DRAFTS_KEPT = 4;

/** The empty page that ends a listing. */
const NOTHING = reply(0);

export interface Directories {
  readonly handlers: Handlers;
  /** Lists directory `id` from its start, and hands the reply to the threads. */
  prepare(id: NodeId): Promise<void>;
  /** The threads have sent a prefetched page of directory `id`: prefetches the next one. */
  prefetchNext(id: NodeId): void;
}

/**
 * @param report logs an error and returns its errno.
 * @param stateless whether the kernel stops sending OPENDIR once it has been refused.
 */
export function serveDirectories(
  tree: NodeTree,
  report: (error: unknown) => number,
  stateless: () => boolean,
  threads: Threads,
  ahead: Ahead,
  parents: Parents,
): Directories {
  const visit = entriesOf(tree);

  /** Undefined where they are damaged: the entry is listed without them, and a request for them is EIO. */
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

  /** Where the next page begins, of directories whose last page was full. */
  const unfinished = new LRUCache<NodeId, number>({ max: UNFINISHED_COUNT });

  /** Where pages have ended. What is requested at another place was sought. */
  const pageEnds = new LRUCache<string, true>({ max: PAGE_ENDS_KEPT });
  const isSought = (id: NodeId, offset: number): boolean =>
    offset !== 0 && offset !== AFTER_DOT && offset !== AFTER_DOT_DOT && !pageEnds.has(`${id} ${offset}`);

  /**
   * The page of directory `id` from `offset` on, of `size` bytes at most; undefined if not one entry fits. A program
   * that seeks may want no more than one entry: its page is short, without attributes, and nothing is prefetched.
   */
  const pageAt = async (
    id: NodeId,
    offset: number,
    size: number,
    plus: boolean,
    signal?: StopSignal,
  ): Promise<Listed | undefined> => {
    const isShort = isSought(id, offset);
    const limit = isShort ? Math.min(size, SOUGHT_SIZE) : size;
    const draft = drafts.pop() ?? reply(USUAL_SIZE);
    const out = limit <= USUAL_SIZE ? draft.fill(0) : reply(limit);
    const page = pageOf(out);
    const ids: NodeId[] = [];
    const types: (NodeType | undefined)[] = [];
    const waiting: Promise<void>[] = [];
    let [used, last, isFull, parentAt] = [0, 0, false, -1];
    let ownInode: number | undefined;
    const complete = (index: number, at: number, id: NodeId, attributes: Attributes | undefined): void => {
      if (attributes === undefined) return;
      writeDirentAttributes(page, at, id, attributes, plus);
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
      writeDirent(page, at, entry, plus);
      const index = types.push(type) - 1;
      if (problem !== undefined) {
        // Node number 0 makes the kernel look the name up, which fails with the same error. Source: fs/fuse/readdir.c.
        report(problem);
        ids.push(NOT_AHEAD);
        return true;
      }
      const isDots = cookie === AFTER_DOT || cookie === AFTER_DOT_DOT;
      ids.push(isDots || entry.isCostly ? NOT_AHEAD : id);
      if (cookie === AFTER_DOT_DOT) {
        parentAt = at;
        return true;
      }
      const attributes = known ?? (isShort && type !== undefined ? undefined : attributesOf(id));
      if (attributes === undefined && isShort) writeDirentInode(page, at, entry.inode, plus);
      if (attributes instanceof Promise)
        waiting.push(
          attributes.then((read) => {
            complete(index, at, id, read);
          }),
        );
      else complete(index, at, id, attributes);
      return true;
    };
    const isEnd = await visit(id, offset, add, isShort ? SOUGHT_COUNT : undefined, signal);
    if (waiting.length > 0) await Promise.all(waiting);
    if (isFull && used === 0) return undefined;
    if (parentAt >= 0) {
      const found = id === tree.root && ownInode !== undefined ? ownInode : parentInode(id);
      const parent = found instanceof Promise ? await found : found;
      if (parent !== undefined) writeDirentInode(page, parentAt, parent, plus);
    }
    if (used > 0) {
      // Programs request a page behind the last one: it is known to be empty.
      if (isEnd) threads.offer(plus ? Opcode.readdirplus : Opcode.readdir, id, last, NOTHING);
      else {
        pageEnds.set(`${id} ${last}`, true);
        if (plus && size >= USUAL_SIZE && !isShort) unfinished.set(id, last);
      }
    }
    const links: NodeId[] = [];
    if (!isShort) learn(id, ids, types, offset === 0, links);
    const listed = { out: Buffer.from(out.subarray(0, HEADER_SIZE + used)), links, isShort };
    if (drafts.length < DRAFTS_KEPT) drafts.push(draft);
    return listed;
  };

  /** The inode number that the ".." of directory `id` shows; undefined if it is not known. */
  const parentInode = (id: NodeId): number | undefined | Promise<number | undefined> => {
    try {
      const inode = parents.inodeOf(id);
      return inode instanceof Promise ? inode.catch(ignoreDiskError) : inode;
    } catch (error) {
      ignoreDiskError(error);
      return undefined;
    }
  };

  /** Lets prefetching know what a page holds, and appends its symbolic links to `links`. */
  const learn = (
    id: NodeId,
    ids: readonly NodeId[],
    types: readonly (NodeType | undefined)[],
    isFirst: boolean,
    links: NodeId[],
  ): void => {
    const directories: NodeId[] = [];
    const files: NodeId[] = [];
    for (let index = 0; index < ids.length; index++) {
      const child = ids[index]!;
      if (child === NOT_AHEAD) continue;
      if (types[index] === "file") files.push(child);
      else if (types[index] === "directory") {
        directories.push(child);
        parents.set(child, id);
      } else if (types[index] === "symlink") links.push(child);
    }
    ahead.learn(id, directories, files, isFirst);
  };

  /** Buffers in which replies are written: most replies are shorter, and are copied out of them. */
  const drafts: Buffer[] = [];

  /**
   * The prefetched page of a directory, ready or under way. A request that arrives before the threads have the page
   * waits for it here: listing it a second time would mean to read all of its batch again.
   */
  const prepared = new LRUCache<NodeId, Preparation>({ max: UNFINISHED_COUNT });

  const list = async (
    id: NodeId,
    request: Buffer,
    plus: boolean,
    signal: StopSignal,
  ): Promise<Buffer | number> => {
    const { offset, size: asked } = ReadIn.view(request);
    const size = Math.min(asked, MAX_READ); // what INIT agreed on, whatever is asked
    const preparation = plus && size >= USUAL_SIZE ? prepared.get(id) : undefined;
    const isPrepared = preparation?.offset === offset;
    if (isPrepared) preparation.isTaken = true;
    const listed = await (isPrepared ? preparation.listed : pageAt(id, offset, size, plus, signal));
    if (listed === undefined) return Errno.EINVAL;
    if (offset === 0) ahead.listed(id);
    if (!listed.isShort) prefetchNext(id);
    return isPrepared ? Buffer.from(listed.out) : listed.out; // requests that wait together have a header each
  };

  const prepare = async (id: NodeId, offset: number): Promise<void> => {
    const preparation = { offset, listed: pageAt(id, offset, USUAL_SIZE, true), isTaken: false };
    prepared.set(id, preparation);
    const { out, links } = (await preparation.listed.catch((error: unknown) => {
      if (prepared.peek(id) === preparation) prepared.delete(id);
      throw error;
    }))!;
    for (const link of links) {
      const target = await tree.readLink(link).catch(ignoreDiskError);
      if (target !== undefined) threads.offer(Opcode.readlink, link, 0, replyWith(target));
    }
    if (preparation.isTaken || out.length === HEADER_SIZE) return;
    threads.offer(Opcode.readdirplus, id, offset, out);
  };

  /** What fails ahead of a request is left to that request; a bug is reported at once. */
  const ignoreDiskError = (error: unknown): undefined => {
    if (!(error instanceof DiskError)) report(error);
    return undefined;
  };

  /** Prefetches one page of directory `id`, if its last page was full. */
  const prefetchNext = (id: NodeId): void => {
    prepared.delete(id);
    if (!unfinished.has(id)) return;
    setImmediate(() => {
      const offset = unfinished.get(id);
      if (offset === undefined) return; // a request was faster, and prefetches what follows it
      unfinished.delete(id);
      prepare(id, offset).catch(ignoreDiskError);
    });
  };

  return {
    handlers: {
      [Opcode.opendir]: () => {
        if (stateless()) return Errno.ENOSYS;
        const out = reply(16);
        writeU32le(body(out), CACHE_DIR, 8);
        return out;
      },
      [Opcode.readdir]: (nodeId, request, signal) => list(nodeId, request, false, signal),
      [Opcode.readdirplus]: (nodeId, request, signal) => list(nodeId, request, true, signal),
    },
    prepare: (id) => prepare(id, 0),
    prefetchNext,
  };
}

/** A page that is prefetched, or being so. */
interface Preparation {
  readonly offset: number;
  readonly listed: Promise<Listed | undefined>;
  /** A request was answered with it: the threads do not need it. */
  isTaken: boolean;
}

/** One page of a listing. */
interface Listed {
  /** The reply, with room for its header. */
  readonly out: Buffer;
  /** The symbolic links in it. */
  readonly links: readonly NodeId[];
  /** A program has sought to its start. */
  readonly isShort: boolean;
}

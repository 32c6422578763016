/** Directories: OPENDIR, READDIR, READDIRPLUS. */
import { LRUCache } from "lru-cache";
import { DiskError } from "../../errors.js";
import type { StopSignal } from "../../extent/time-slice.js";
import type { NodeId, NodeTree } from "../../filesystem/filesystem.js";
import { Errno } from "../errno.js";
import { AFTER_DOT, AFTER_DOT_DOT } from "../protocol/directory.js";
import { MAX_READ } from "../protocol/init.js";
import { body, HEADER_SIZE, reply, replyWith, writeU32le } from "../protocol/reply.js";
import { Opcode, ReadIn } from "../protocol/request.js";
import type { Handlers } from "./handler.js";
import { pageReader, USUAL_SIZE, type Page } from "./pages.js";
import type { Parents } from "./parents.js";
import type { ReadAhead } from "./read-ahead.js";
import type { Threads } from "./threads.js";

/** FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR: the kernel caches the entries, and those that it has cached stay valid. */
const CACHE_DIR = (1 << 1) | (1 << 3);

/** Directories of which a prefetched page is kept. */
const PREFETCHED_COUNT = 64;

/** Ends of pages from which a program is expected to read on. */
const PAGE_ENDS_KEPT = 1024;

/** The empty page that ends a listing. */
const EMPTY_PAGE = reply(0);

export interface Directories {
  readonly handlers: Handlers;
  /**
   * Reads the page of directory `id` from `offset` on, and the links in it, and passes the replies to the threads. Calls
   * `record` with the page before a request gets it.
   */
  prefetch(id: NodeId, offset: number, record: (page: Page) => void): Promise<void>;
  /** The threads have sent the prefetched page of directory `id` from `offset` on. */
  sent(id: NodeId, offset: number): void;
  /** Directories have changed: pages that were read before are not used. */
  forget(): void;
}

/**
 * @param report logs an error and returns its errno.
 * @param onCached called with each directory of which the kernel may cache entries.
 * @param refusesOpendir whether OPENDIR is refused with ENOSYS, so that the kernel does not send it any more.
 */
export function serveDirectories(
  tree: NodeTree,
  report: (error: unknown) => number,
  refusesOpendir: () => boolean,
  threads: Threads,
  readAhead: ReadAhead,
  parents: Parents,
  onCached: (id: NodeId) => void,
): Directories {
  let readPage = pageReader(tree, report, parents);
  let changeCount = 0;
  /** `Threads.putReply`, for a reply that was read when there had been `before` changes. */
  const putReply = (before: number, ...prefetched: Parameters<Threads["putReply"]>): void => {
    if (changeCount === before) threads.putReply(...prefetched);
  };

  /** Where pages have ended. A request for a page from another offset follows a seek. */
  const pageEnds = new LRUCache<string, true>({ max: PAGE_ENDS_KEPT });
  const isSought = (id: NodeId, offset: number): boolean =>
    offset !== 0 && offset !== AFTER_DOT && offset !== AFTER_DOT_DOT && !pageEnds.has(`${id} ${offset}`);

  /** After a seek, a program may want no more than one entry: its page is short. */
  const pageAt = async (
    id: NodeId,
    offset: number,
    size: number,
    plus: boolean,
    signal?: StopSignal,
  ): Promise<Page | undefined> => {
    const before = changeCount;
    onCached(id);
    const page = await readPage(id, offset, size, plus, isSought(id, offset), signal);
    if (page?.last === undefined) return page;
    // Programs request one more page after the last one: it is empty.
    if (page.isEnd) putReply(before, plus ? Opcode.readdirplus : Opcode.readdir, id, page.last, EMPTY_PAGE);
    else pageEnds.set(`${id} ${page.last}`, true);
    return page;
  };

  /**
   * The prefetched page of a directory, complete or not. A request that arrives before the threads have the page waits for
   * it here: to list the entries a second time would mean to read the whole batch again.
   */
  const prefetched = new LRUCache<NodeId, PrefetchedPage>({ max: PREFETCHED_COUNT });

  const list = async (
    id: NodeId,
    request: Buffer,
    plus: boolean,
    signal: StopSignal,
  ): Promise<Buffer | number> => {
    const { offset, size: requested } = ReadIn.view(request);
    const size = Math.min(requested, MAX_READ); // INIT has agreed on this limit
    const isPageSize = plus && size >= USUAL_SIZE;
    const known = isPageSize ? prefetched.get(id) : undefined;
    const isPrefetched = known?.offset === offset;
    if (isPrefetched) known.isUsed = true;
    const page = await (isPrefetched ? known.page : pageAt(id, offset, size, plus, signal));
    if (page === undefined) return Errno.EINVAL;
    if (!page.isShort) {
      prefetched.delete(id);
      readAhead.directoryListed(id, offset, isPrefetched ? undefined : page, isPageSize);
    }
    return isPrefetched ? Buffer.from(page.out) : page.out; // each waiting request needs a header of its own
  };

  return {
    handlers: {
      [Opcode.opendir]: () => {
        if (refusesOpendir()) return Errno.ENOSYS;
        const out = reply(16);
        writeU32le(body(out), CACHE_DIR, 8);
        return out;
      },
      [Opcode.readdir]: (nodeId, request, signal) => list(nodeId, request, false, signal),
      [Opcode.readdirplus]: (nodeId, request, signal) => list(nodeId, request, true, signal),
    },

    async prefetch(id, offset, record) {
      const read = async (): Promise<Page> => {
        const page = (await pageAt(id, offset, USUAL_SIZE, true))!; // an entry always fits
        if (!page.isShort) record(page);
        return page;
      };
      const before = changeCount;
      const entry: PrefetchedPage = { offset, page: read(), isUsed: false };
      prefetched.set(id, entry);
      const page = await entry.page.catch((error: unknown) => {
        if (prefetched.peek(id) === entry) prefetched.delete(id);
        throw error;
      });
      for (const link of page.links) {
        const target = await tree.readLink(link).catch((error: unknown) => {
          if (!(error instanceof DiskError)) report(error);
        });
        if (target !== undefined) putReply(before, Opcode.readlink, link, 0, replyWith(target));
      }
      if (!entry.isUsed && page.out.length > HEADER_SIZE)
        putReply(before, Opcode.readdirplus, id, offset, page.out);
    },

    sent(id, offset) {
      prefetched.delete(id);
      readAhead.directoryListed(id, offset);
    },

    forget() {
      changeCount++;
      prefetched.clear();
      readPage = pageReader(tree, report, parents);
    },
  };
}

interface PrefetchedPage {
  readonly offset: number;
  readonly page: Promise<Page>;
  /** Whether a request was answered with it, so that the threads do not need it. */
  isUsed: boolean;
}

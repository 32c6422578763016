/**
 * Regular files: OPEN, READ, LSEEK. The addon's threads answer most READ requests from mapped windows. Those that arrive
 * here have no window yet, or only TypeScript can answer them: parts of compressed units, damage, and errors of the host.
 */
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../bytes/memory.js";
import type { BufferPool } from "../../bytes/pool.js";
import type { BlockSource } from "../../extent/extent.js";
import { mapAll } from "../../extent/mapping.js";
import { readExtents } from "../../extent/read.js";
import type { NodeId, NodeTree } from "../../filesystem/filesystem.js";
import { Errno } from "../errno.js";
import { MAX_READ } from "../protocol/init.js";
import { body, HEADER_SIZE, reply, writeI64le, writeU32le } from "../protocol/reply.js";
import { LseekIn, Opcode, OpenIn, ReadIn } from "../protocol/request.js";
import type { Handlers } from "./handler.js";
import { findNext } from "./holes.js";
import type { ReadAhead } from "./read-ahead.js";
import type { Threads } from "./threads.js";
import { isReadableByThreads, WINDOW_SIZE, windowsFor } from "./windows.js";

/** open(2)'s access mode bits; 0 is O_RDONLY. */
const O_ACCMODE = 3;

/** `whence` of lseek(2). */
const SEEK_DATA = 3;

/** FOPEN_KEEP_CACHE: the pages that the kernel has cached stay valid. */
const KEEP_CACHE = 1 << 1;

/** Sources that are kept open. A file whose source was evicted is opened again by its next read. */
const SOURCES_KEPT = withinMemory(512);

export interface Files {
  readonly handlers: Handlers;
  /**
   * Opens file `id` and passes its first window to the threads. Returns true if the first read will notify us; required
   * if `isMilestone`.
   */
  prefetch(id: NodeId, isMilestone: boolean): Promise<boolean>;
  /** A thread has answered a read of `size` bytes at `offset` and notified us: passes the window behind it. */
  prefetchNext(id: NodeId, offset: number, size: number): void;
  /** Files have changed: their sources are opened again, and their windows passed again. */
  forget(): void;
}

/**
 * @param report logs an error and returns its errno.
 * @param onCached called with each file of which the kernel may cache pages.
 * @param refusesOpen whether OPEN is refused with ENOSYS, so that the kernel does not send it any more.
 */
export function serveFiles(
  tree: NodeTree,
  report: (error: unknown) => number,
  buffers: BufferPool,
  refusesOpen: () => boolean,
  threads: Threads,
  readAhead: ReadAhead,
  onCached: (id: NodeId) => void,
): Files {
  const windows = windowsFor(threads, report);
  const sources = new LRUCache<NodeId, BlockSource>({ max: SOURCES_KEPT });
  let changeCount = 0;
  const open = async (id: NodeId): Promise<BlockSource> => {
    const known = sources.get(id);
    if (known !== undefined) return known;
    const before = changeCount;
    onCached(id);
    const source = await tree.open(id);
    if (changeCount === before) sources.set(id, source);
    return source;
  };

  const handlers: Handlers = {
    [Opcode.open]: async (nodeId, request) => {
      if ((OpenIn.view(request).flags & O_ACCMODE) !== 0) return Errno.EROFS;
      if (refusesOpen()) return Errno.ENOSYS;
      await windows.pass(nodeId, await open(nodeId), 0);
      readAhead.fileOpened(nodeId);
      const out = reply(16);
      writeU32le(body(out), KEEP_CACHE, 8);
      return out;
    },

    [Opcode.read]: async (nodeId, request, signal) => {
      const { offset, size: requested } = ReadIn.view(request);
      const size = Math.min(requested, MAX_READ); // INIT has agreed on this limit
      const source = await open(nodeId);
      if (offset === 0 && refusesOpen()) readAhead.fileOpened(nodeId);
      const length = Math.max(0, Math.min(size, source.size - offset));
      const out = buffers.take(HEADER_SIZE + length);
      if (length === 0) return out;
      try {
        const extents = await mapAll(source, offset, length, signal);
        await readExtents(extents, out.subarray(HEADER_SIZE));
        if (extents.every(isReadableByThreads)) {
          const last = Math.floor((offset + length - 1) / WINDOW_SIZE);
          for (let index = Math.floor(offset / WINDOW_SIZE); index <= last; index++)
            void windows.pass(nodeId, source, index);
        }
      } catch (error) {
        // readExtents has waited for all of its reads: none of them writes to the buffer any more.
        buffers.give(out);
        throw error;
      }
      return out;
    },

    [Opcode.lseek]: async (nodeId, request, signal) => {
      const { offset, whence } = LseekIn.view(request);
      const source = await open(nodeId);
      if (offset >= source.size) return Errno.ENXIO;
      const found = await findNext(source, offset, whence === SEEK_DATA ? "data" : "hole", signal);
      if (found === source.size && whence === SEEK_DATA) return Errno.ENXIO;
      const out = reply(8);
      writeI64le(body(out), found, 0);
      return out;
    },
  };
  return {
    handlers,
    async prefetch(id, isMilestone) {
      const isStateless = refusesOpen();
      const before = changeCount;
      onCached(id);
      const source = await tree.open(id);
      if (changeCount !== before) return false;
      if (source.size > WINDOW_SIZE) sources.set(id, source);
      await windows.pass(id, source, 0, isMilestone && isStateless);
      // Without OPEN, only a milestone notifies us, when it is read. Otherwise OPEN does, for empty files too.
      return !isStateless || (isMilestone && source.size > 0);
    },
    prefetchNext(id, offset, size) {
      if (offset === 0 && refusesOpen()) readAhead.fileOpened(id);
      const source = sources.get(id);
      if (source !== undefined) windows.prefetch(id, source, Math.ceil((offset + size) / WINDOW_SIZE));
    },
    forget() {
      changeCount++;
      sources.clear();
      windows.forget();
    },
  };
}

/**
 * Regular files: OPEN, READ. The threads of the addon answer READ from the windows that they were given; what comes
 * here is what they have no window for, or what only TypeScript can read or explain: parts of compressed units, damage,
 * and whatever went wrong.
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
import type { Ahead } from "./ahead.js";
import type { Handlers } from "./handler.js";
import { findNext } from "./holes.js";
import type { Threads } from "./threads.js";
import { isPlain, WINDOW_SIZE, windowGiver } from "./windows.js";

/** open(2)'s access mode bits; 0 is O_RDONLY. */
const O_ACCMODE = 3;

/** lseek(2). */
const SEEK_DATA = 3;

/** FOPEN_KEEP_CACHE: what the kernel has of the contents stays good. */
const KEEP_CACHE = 1 << 1;

/** Sources that are remembered. A file is opened anew when it has lost its place: nothing depends on it. */
const SOURCES_KEPT = withinMemory(512);

export interface Files {
  readonly handlers: Handlers;
  /** Opens file `id`, for the threads to answer with; whether it will be heard when they do, which may be wanted. */
  prepare(id: NodeId, isMilestone: boolean): Promise<boolean>;
  /** The threads have read in file `id` for the first time in a while: what follows is made ready. */
  goOn(id: NodeId, offset: number, size: number): void;
}

/**
 * @param complain logs an error and returns its errno.
 * @param stateless whether the kernel does without OPEN once it has been refused.
 */
export function serveFiles(
  tree: NodeTree,
  complain: (error: unknown) => number,
  buffers: BufferPool,
  stateless: () => boolean,
  threads: Threads,
  ahead: Ahead,
): Files {
  const windows = windowGiver(threads, complain);
  const sources = new LRUCache<NodeId, BlockSource>({ max: SOURCES_KEPT });
  const open = async (id: NodeId): Promise<BlockSource> => {
    const known = sources.get(id);
    if (known !== undefined) return known;
    const source = await tree.open(id);
    sources.set(id, source);
    return source;
  };

  const openReply = (): Buffer => {
    const out = reply(16);
    writeU32le(body(out), KEEP_CACHE, 8);
    return out;
  };

  const handlers: Handlers = {
    [Opcode.open]: async (nodeId, request) => {
      if ((OpenIn.view(request).flags & O_ACCMODE) !== 0) return Errno.EROFS;
      if (stateless()) return Errno.ENOSYS;
      await windows.give(nodeId, await open(nodeId), 0);
      ahead.opened(nodeId);
      return openReply();
    },

    [Opcode.read]: async (nodeId, request, signal) => {
      const { offset, size: asked } = ReadIn.view(request);
      const size = Math.min(asked, MAX_READ); // what INIT agreed on, whatever is asked
      const source = await open(nodeId);
      if (offset === 0 && stateless()) ahead.opened(nodeId);
      const length = Math.max(0, Math.min(size, source.size - offset));
      const out = buffers.take(HEADER_SIZE + length);
      if (length === 0) return out;
      try {
        const extents = await mapAll(source, offset, length, signal);
        await readExtents(extents, out.subarray(HEADER_SIZE));
        if (extents.every(isPlain)) {
          const last = Math.floor((offset + length - 1) / WINDOW_SIZE);
          for (let index = Math.floor(offset / WINDOW_SIZE); index <= last; index++)
            void windows.give(nodeId, source, index);
        }
      } catch (error) {
        // readExtents has waited for all of its parts: none of them writes to the buffer any more.
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
    async prepare(id, isMilestone) {
      const isStateless = stateless();
      const source = await tree.open(id);
      if (source.size > WINDOW_SIZE) sources.set(id, source);
      await windows.give(id, source, 0, isMilestone && isStateless);
      if (isStateless) return isMilestone && source.size > 0;
      threads.offer(Opcode.open, id, 0, openReply());
      return true;
    },
    goOn(id, offset, size) {
      if (offset === 0 && stateless()) ahead.opened(id);
      const source = sources.get(id);
      if (source !== undefined) windows.giveAhead(id, source, Math.ceil((offset + size) / WINDOW_SIZE));
    },
  };
}

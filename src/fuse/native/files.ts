/** Regular files: OPEN, READ, RELEASE. */
import type { BlockSource } from "../../extent/extent.js";
import { readInto } from "../../extent/read.js";
import type { NodeTree } from "../../filesystem/filesystem.js";
import { Errno } from "../errno.js";
import { body, HEADER_SIZE, reply, writeI64le } from "../protocol/reply.js";
import { Opcode, OpenIn, ReadIn, ReleaseIn } from "../protocol/request.js";
import type { ReadBuffers } from "./buffers.js";
import type { Handlers } from "./handler.js";

/** open(2)'s access mode bits; 0 is O_RDONLY. */
const O_ACCMODE = 3;

/** FOPEN_KEEP_CACHE: what the kernel has of the contents stays good. */
const KEEP_CACHE = 1 << 1;

export function fileHandlers(tree: NodeTree, buffers: ReadBuffers): Handlers {
  const open = new Map<number, BlockSource>();
  let lastHandle = 0;
  return {
    [Opcode.open]: async (nodeId, request) => {
      if ((OpenIn.view(request).flags & O_ACCMODE) !== 0) return Errno.EROFS;
      const source = await tree.open(nodeId);
      open.set(++lastHandle, source);
      const out = reply(16);
      writeI64le(body(out), lastHandle, 0);
      body(out).writeUInt32LE(KEEP_CACHE, 8);
      return out;
    },

    [Opcode.read]: async (_, request) => {
      const { handle, offset, size } = ReadIn.view(request);
      const source = open.get(handle);
      if (source === undefined) return Errno.EBADF;
      const length = Math.max(0, Math.min(size, source.size - offset));
      const out = buffers.take(length);
      if (length === 0) return out;
      try {
        await readInto(source, out.subarray(HEADER_SIZE), offset);
      } catch (error) {
        // readInto has waited for all of its parts: none of them writes to the buffer any more.
        buffers.give(out);
        throw error;
      }
      return out;
    },

    [Opcode.release]: (_, request) => {
      open.delete(ReleaseIn.view(request).handle);
      return reply(0);
    },

    [Opcode.ioctl]: () => Errno.ENOTTY,
  };
}

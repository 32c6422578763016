/**
 * Requests in, replies out: a tree served in the kernel's protocol, without a kernel. Nodes are the tree's own
 * NodeIds, so there is nothing to forget; all that is remembered is the open files and where listings stand.
 */
import type { Logger } from "pino";
import { UnsupportedError } from "../../errors.js";
import type { NodeTree } from "../../filesystem/filesystem.js";
import { complainer, Errno } from "../errno.js";
import { absentReply, attributesReply, entryReply, statxReply, usageReply } from "../protocol/attributes.js";
import { greet, InitFlag } from "../protocol/init.js";
import { reply, replyWith, seal } from "../protocol/reply.js";
import { InitIn, nameAt, Opcode, RequestHeader } from "../protocol/request.js";
import { ReadBuffers } from "./buffers.js";
import { directoryHandlers } from "./directories.js";
import { extendedAttributeHandlers } from "./extended-attributes.js";
import { fileHandlers } from "./files.js";
import { type Handlers, NO_REPLY, type Outcome } from "./handler.js";

export interface Server {
  /**
   * The reply to one request, ready to be written; `undefined` where none is due. `request` is the caller's
   * again as soon as this returns, before the promise settles. Never rejects.
   */
  answer(request: Buffer): Promise<Buffer | undefined>;
  /** Takes back a reply that has been written. */
  recycle(reply: Buffer): void;
}

/** The root's node in the protocol (FUSE_ROOT_ID). */
const ROOT = 1;

/**
 * @param greeted told once: nothing, or why this kernel cannot be served.
 * @param onlyFor the user who, with root, is alone let in; `undefined` leaves it to the kernel.
 * @throws {RangeError} when the root is not node 1: a bug of the tree's.
 */
export function serve(
  tree: NodeTree,
  log: Logger,
  greeted: (problem?: UnsupportedError) => void,
  onlyFor?: number,
): Server {
  if (tree.root !== ROOT) throw new RangeError(`the root is node ${tree.root}, but must be ${ROOT}`);
  const complain = complainer(log);
  const buffers = new ReadBuffers();
  let flags = 0;
  const handlers: Handlers = {
    ...readOnlyHandlers,
    ...silentHandlers,
    ...nodeHandlers(tree),
    ...fileHandlers(tree, buffers),
    // Whoever may not come in is turned away at OPENDIR.
    ...directoryHandlers(tree, complain, () => onlyFor === undefined && (flags & InitFlag.noOpendir) !== 0),
    ...extendedAttributeHandlers(tree),
    [Opcode.init]: (_, body) => {
      const request = InitIn.view(body);
      const greeting = greet(request);
      if (greeting === undefined) {
        greeted(tooOld(`${request.major}.${request.minor}`));
        return Errno.EPROTO;
      }
      if (greeting.flags !== undefined) {
        flags = greeting.flags;
        greeted();
      }
      return greeting.reply;
    },
  };

  const handle = async ({ opcode, nodeId, uid }: RequestHeader, body: Buffer): Promise<Outcome> => {
    if (onlyFor !== undefined && uid !== onlyFor && uid !== 0 && !ANYONE.has(opcode)) return Errno.EACCES;
    try {
      return await (handlers[opcode]?.(nodeId, body) ?? Errno.ENOSYS);
    } catch (error) {
      return complain(error);
    }
  };
  return {
    async answer(request) {
      const header = RequestHeader.view(request);
      const unique = Buffer.from(header.unique);
      const outcome = await handle(header, request.subarray(RequestHeader.size, header.length));
      if (typeof outcome === "number")
        return outcome === NO_REPLY ? undefined : seal(reply(0), unique, outcome);
      return seal(outcome, unique);
    },
    recycle: (reply) => {
      buffers.give(reply);
    },
  };
}

/** What the kernel sends in its own name, or for someone who has been let in before. */
const ANYONE = new Set<number>([
  Opcode.init,
  Opcode.destroy,
  Opcode.forget,
  Opcode.batchForget,
  Opcode.interrupt,
  Opcode.read,
  Opcode.release,
  Opcode.readdir,
  Opcode.readdirplus,
  Opcode.releasedir,
]);

function nodeHandlers(tree: NodeTree): Handlers {
  return {
    [Opcode.lookup]: async (nodeId, body) => {
      const id = await tree.lookup(nodeId, nameAt(body, 0));
      return id === undefined ? absentReply() : entryReply(id, await tree.attributes(id));
    },
    [Opcode.getattr]: async (nodeId) => attributesReply(await tree.attributes(nodeId)),
    [Opcode.statx]: async (nodeId) => statxReply(await tree.attributes(nodeId)),
    [Opcode.readlink]: async (nodeId) => replyWith(await tree.readLink(nodeId)),
    [Opcode.statfs]: async (nodeId) => usageReply(await tree.usage(nodeId)),
    [Opcode.destroy]: () => reply(0),
  };
}

/**
 * What would write. A mount is read-only and the kernel refuses by itself, until root remounts it to be written.
 */
const readOnlyHandlers: Handlers = Object.fromEntries(
  [
    Opcode.setattr,
    Opcode.symlink,
    Opcode.mknod,
    Opcode.mkdir,
    Opcode.unlink,
    Opcode.rmdir,
    Opcode.rename,
    Opcode.link,
    Opcode.write,
    Opcode.setxattr,
    Opcode.removexattr,
    Opcode.create,
    Opcode.fallocate,
    Opcode.rename2,
    Opcode.copyFileRange,
    Opcode.tmpfile,
  ].map((opcode) => [opcode, () => Errno.EROFS]),
);

/**
 * INTERRUPT is no reason to give up: most signals do not end their process, and programs do not expect EINTR
 * when they read a file.
 */
const silentHandlers: Handlers = Object.fromEntries(
  [Opcode.forget, Opcode.batchForget, Opcode.interrupt].map((opcode) => [opcode, () => NO_REPLY]),
);

function tooOld(version: string): UnsupportedError {
  return new UnsupportedError({
    file: "/dev/fuse",
    thing: "the kernel's FUSE protocol",
    found: version,
    expected: "7.23 (Linux 3.15) or newer",
    hint: "choose the fuse-native backend",
  });
}

/**
 * Requests in, replies out: a tree served in the kernel's protocol, without a kernel. Nodes are the tree's own
 * NodeIds, and what is asked about them does not depend on what was asked before: there is nothing to forget.
 */
import type { Logger } from "pino";
import { BufferPool } from "../../bytes/pool.js";
import { UnsupportedError } from "../../errors.js";
import type { StopSignal } from "../../extent/time-slice.js";
import type { NodeTree } from "../../filesystem/filesystem.js";
import { complainer, Errno } from "../errno.js";
import { absentReply, attributesReply, entryReply, statxReply, usageReply } from "../protocol/attributes.js";
import { greet, InitFlag, MAX_READ } from "../protocol/init.js";
import { HEADER_SIZE, reply, replyWith, seal } from "../protocol/reply.js";
import { InitIn, InterruptIn, nameAt, Opcode, ReadIn, RequestHeader } from "../protocol/request.js";
import { lookAhead } from "./ahead.js";
import { serveDirectories } from "./directories.js";
import { extendedAttributeHandlers } from "./extended-attributes.js";
import { flagHandlers } from "./file-flags.js";
import { serveFiles } from "./files.js";
import type { Handlers, Outcome } from "./handler.js";
import { interruptions } from "./interruptions.js";
import { parentsIn, type Parents } from "./parents.js";
import type { Threads } from "./threads.js";

export interface Server {
  /**
   * The reply to one request, ready to be written. `request` is the caller's again as soon as this returns, before
   * the promise settles. Never rejects.
   */
  answer(request: Buffer): Promise<Buffer>;
  /**
   * Takes a request that needs no reply: the threads have answered it, and prefetching goes on from there; or it is an
   * INTERRUPT. It is borrowed.
   */
  answered(request: Buffer): void;
  /** Takes back a reply that has been written. */
  recycle(reply: Buffer): void;
}

/** The root's node in the protocol (FUSE_ROOT_ID). */
const ROOT = 1;

/** Replies to reads that are kept for the next ones: the kernel reads ahead of a reader by some of them. */
const READS_KEPT = 10;

/**
 * @param greeted told once: nothing, or why this kernel cannot be served.
 * @param threads is handed what can be answered without asking here.
 * @param onlyFor the user who, with root, is alone let in; `undefined` leaves it to the kernel.
 * @throws {RangeError} when the root is not node 1: a bug of the tree's.
 */
export function serve(
  tree: NodeTree,
  log: Logger,
  greeted: (problem?: UnsupportedError) => void,
  threads: Threads,
  onlyFor?: number,
): Server {
  if (tree.root !== ROOT) throw new RangeError(`the root is node ${tree.root}, but must be ${ROOT}`);
  const complain = complainer(log);
  const interrupted = interruptions();
  const buffers = new BufferPool(HEADER_SIZE + MAX_READ, READS_KEPT);
  let flags = 0;
  // The threads do not look at who asks.
  const open = onlyFor === undefined ? threads : { ...threads, offer: () => undefined };
  const ahead = lookAhead(
    (id) => directories.prepare(id),
    (id, isMilestone) => files.prepare(id, isMilestone),
    complain,
  );
  const parents = parentsIn(tree);
  // Whoever may not come in is turned away at OPEN and OPENDIR.
  const can = (flag: number) => (): boolean => onlyFor === undefined && (flags & flag) !== 0;
  const files = serveFiles(tree, complain, buffers, can(InitFlag.noOpen), open, ahead);
  const directories = serveDirectories(tree, complain, can(InitFlag.noOpendir), open, ahead, parents);
  const handlers: Handlers = {
    ...readOnlyHandlers,
    ...nodeHandlers(tree, parents),
    ...files.handlers,
    ...directories.handlers,
    ...extendedAttributeHandlers(tree),
    ...flagHandlers(tree),
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

  const handle = async (
    { opcode, nodeId, uid }: RequestHeader,
    body: Buffer,
    signal: StopSignal,
  ): Promise<Outcome> => {
    if (onlyFor !== undefined && uid !== onlyFor && uid !== 0 && !ANYONE.has(opcode)) return Errno.EACCES;
    try {
      return await (handlers[opcode]?.(nodeId, body, signal, uid) ?? Errno.ENOSYS);
    } catch (error) {
      return complain(error);
    }
  };
  const recycle = (outcome: Outcome): void => {
    if (typeof outcome !== "number") buffers.give(outcome);
  };
  return {
    async answer(request) {
      const header = RequestHeader.view(request);
      const unique = Buffer.from(header.unique);
      const body = request.subarray(RequestHeader.size, header.length);
      const outcome = await interrupted.run(
        unique.toString("latin1"),
        (signal) => handle(header, body, signal),
        recycle,
      );
      return typeof outcome === "number" ? seal(reply(0), unique, outcome) : seal(outcome, unique);
    },
    answered(request) {
      const { opcode, nodeId, length } = RequestHeader.view(request);
      if (opcode === Opcode.open) {
        ahead.opened(nodeId);
        return;
      }
      const body = request.subarray(RequestHeader.size, length);
      if (opcode === Opcode.interrupt) {
        interrupted.interrupt(InterruptIn.view(body).unique.toString("latin1"));
        return;
      }
      const { offset, size } = ReadIn.view(body);
      if (opcode === Opcode.read) {
        files.goOn(nodeId, offset, size);
        return;
      }
      if (offset === 0) ahead.listed(nodeId);
      directories.prefetchNext(nodeId);
    },
    recycle,
  };
}

/** What the kernel sends in its own name, or for someone who has been let in before. */
const ANYONE = new Set<number>([
  Opcode.init,
  Opcode.destroy,
  Opcode.read,
  Opcode.readdir,
  Opcode.readdirplus,
]);

function nodeHandlers(tree: NodeTree, parents: Parents): Handlers {
  return {
    [Opcode.lookup]: async (nodeId, body, signal) => {
      const id = await tree.lookup(nodeId, nameAt(body, 0), signal);
      if (id === undefined) return absentReply();
      const attributes = await tree.attributes(id);
      if (attributes.type === "directory") parents.set(id, nodeId);
      return entryReply(id, attributes);
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

function tooOld(version: string): UnsupportedError {
  return new UnsupportedError({
    file: "/dev/fuse",
    thing: "the kernel's FUSE protocol",
    found: version,
    expected: "7.23 (Linux 3.15) or newer",
    hint: "choose the fuse-native backend",
  });
}

/**
 * Answers the kernel's requests from a tree. Does no I/O on /dev/fuse, so that tests need no kernel. The protocol's node
 * numbers are the tree's NodeIds, and no answer depends on earlier requests: FORGET has nothing to free.
 */
import type { Logger } from "pino";
import { BufferPool } from "../../bytes/pool.js";
import { UnsupportedError } from "../../errors.js";
import type { StopSignal } from "../../extent/time-slice.js";
import type { NodeId, NodeTree } from "../../filesystem/filesystem.js";
import { errorReporter, Errno } from "../errno.js";
import { absentReply, attributesReply, entryReply, statxReply, usageReply } from "../protocol/attributes.js";
import { answerInit, InitFlag, MAX_READ } from "../protocol/init.js";
import { HEADER_SIZE, reply, replyWith, seal } from "../protocol/reply.js";
import { InitIn, InterruptIn, nameAt, Opcode, ReadIn, RequestHeader } from "../protocol/request.js";
import { serveDirectories } from "./directories.js";
import { extendedAttributeHandlers } from "./extended-attributes.js";
import { flagHandlers } from "./file-flags.js";
import { cachedNodes } from "./cached-nodes.js";
import { serveFiles } from "./files.js";
import type { Handlers, Outcome } from "./handler.js";
import { interruptions } from "./interruptions.js";
import { parentsIn, type Parents } from "./parents.js";
import { readAheadFor } from "./read-ahead.js";
import type { Threads } from "./threads.js";

export interface Server {
  /**
   * Resolves to the reply, with its header. Does not use `request` any more once this returns, before the promise settles.
   * Never rejects.
   */
  answer(request: Buffer): Promise<Buffer>;
  /**
   * Handles a request that needs no reply: a thread has answered it, so that read-ahead continues from there; or it is an
   * INTERRUPT. Does not use `request` any more once this returns.
   */
  notify(request: Buffer): void;
  /** Takes back the buffer of a reply that has been sent. */
  recycle(reply: Buffer): void;
}

/** The root's node in the protocol (FUSE_ROOT_ID). */
const ROOT = 1;

/** Buffers of replies to READ that are kept for the next ones: the kernel requests several at once when it reads ahead. */
const READ_BUFFERS_KEPT = 10;

/**
 * @param onInit called once, after INIT; with an error if this kernel cannot be served.
 * @param threads gets windows and replies, from which it answers requests by itself.
 * @param onlyFor the only user besides root who may use the mount; `undefined` leaves that to the kernel.
 * @param makeReadAhead creates the read-ahead; `noReadAhead` serves without.
 * @throws {RangeError} if the root is not node 1, which is a bug of the tree.
 */
export function serve(
  tree: NodeTree,
  log: Logger,
  onInit: (problem?: UnsupportedError) => void,
  threads: Threads,
  onlyFor?: number,
  makeReadAhead = readAheadFor,
): Server {
  if (tree.root !== ROOT) throw new RangeError(`the root is node ${tree.root}, but must be ${ROOT}`);
  const report = errorReporter(log);
  const running = interruptions();
  const buffers = new BufferPool(HEADER_SIZE + MAX_READ, READ_BUFFERS_KEPT);
  let flags = 0;
  // The threads do not check which user a request comes from.
  const allowed = onlyFor === undefined ? threads : { ...threads, putReply: () => undefined };
  const readAhead = makeReadAhead(
    {
      list: (id, offset, record) => directories.prefetch(id, offset, record),
      open: (id, isMilestone) => files.prefetch(id, isMilestone),
    },
    report,
  );
  const parents = parentsIn(tree);
  // With `onlyFor`, other users are refused at OPEN and OPENDIR, so that the kernel has to send these.
  const refuses = (flag: number) => (): boolean => onlyFor === undefined && (flags & flag) !== 0;
  const nodes = cachedNodes(tree);
  const onCached = (id: NodeId): void => {
    nodes.add(id);
  };
  const files = serveFiles(tree, report, buffers, refuses(InitFlag.noOpen), allowed, readAhead, onCached);
  const directories = serveDirectories(
    tree,
    report,
    refuses(InitFlag.noOpendir),
    allowed,
    readAhead,
    parents,
    onCached,
  );
  const handlers: Handlers = {
    ...readOnlyHandlers,
    ...nodeHandlers(tree, parents),
    ...files.handlers,
    ...directories.handlers,
    ...extendedAttributeHandlers(tree),
    ...flagHandlers(tree),
    [Opcode.init]: (_, body) => {
      const request = InitIn.view(body);
      const outcome = answerInit(request);
      if (outcome === undefined) {
        onInit(tooOld(`${request.major}.${request.minor}`));
        return Errno.EPROTO;
      }
      if (outcome.flags !== undefined) {
        flags = outcome.flags;
        onInit();
      }
      return outcome.reply;
    },
  };

  const handle = async (
    { opcode, nodeId, uid }: RequestHeader,
    body: Buffer,
    signal: StopSignal,
  ): Promise<Outcome> => {
    if (onlyFor !== undefined && uid !== onlyFor && uid !== 0 && !UNCHECKED.has(opcode)) return Errno.EACCES;
    try {
      return await (handlers[opcode]?.(nodeId, body, signal, uid) ?? Errno.ENOSYS);
    } catch (error) {
      return report(error);
    }
  };
  const recycle = (outcome: Outcome): void => {
    if (typeof outcome !== "number") buffers.give(outcome);
  };
  const server: Server = {
    async answer(request) {
      const header = RequestHeader.view(request);
      const unique = Buffer.from(header.unique);
      const body = request.subarray(RequestHeader.size, header.length);
      const outcome = await running.run(
        unique.toString("latin1"),
        (signal) => handle(header, body, signal),
        recycle,
      );
      return typeof outcome === "number" ? seal(reply(0), unique, outcome) : seal(outcome, unique);
    },
    notify(request) {
      const { opcode, nodeId, length } = RequestHeader.view(request);
      const body = request.subarray(RequestHeader.size, length);
      if (opcode === Opcode.interrupt) {
        running.interrupt(InterruptIn.view(body).unique.toString("latin1"));
        return;
      }
      const { offset, size } = ReadIn.view(body);
      if (opcode === Opcode.read) {
        files.prefetchNext(nodeId, offset, size);
        return;
      }
      directories.sent(nodeId, offset);
    },
    recycle,
  };
  tree.changes?.on(server, (change) => {
    files.forget();
    directories.forget();
    threads.clear();
    threads.notify(nodes.notificationsOf(change));
  });
  return server;
}

/** Requests that the kernel sends on its own behalf, or for an open file, whose user was checked when it was opened. */
const UNCHECKED = new Set<number>([
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

/** Requests that would write. The kernel refuses them by itself, unless root has remounted the mount for writing. */
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

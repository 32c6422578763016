/** The FUSE connection of one mount: the addon's threads, and a server for the requests that they do not answer. */
import { availableParallelism } from "node:os";
import type { Logger } from "pino";
import { memoryShare } from "../../bytes/memory.js";
import { HostError } from "../../errors.js";
import type { Addon, Session } from "../../storage/addon.js";
import { Errno } from "../errno.js";
import { reply, seal } from "../protocol/reply.js";
import type { Server } from "./server.js";
import type { Threads } from "./threads.js";
import { WINDOW_SIZE } from "./windows.js";

/** Bytes of the largest request: a header and up to two names (native-bindings/device.cc, kRequestSize). */
const REQUEST_SIZE = 64 * 2 ** 10;

/** Threads that answer requests: a few more than there are processors, since they wait for the host's disk. */
const THREADS = Math.min(Math.max(availableParallelism(), 4), 8);

/**
 * Serves the FUSE connection `fd`, which it owns from now on, until the mount has ended. Several requests may be under way
 * at the same time.
 * @throws {HostError} if reading from /dev/fuse fails.
 */
export async function runSession(
  addon: Addon,
  fd: number,
  makeServer: (threads: Threads) => Server,
  log: Logger,
): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(REQUEST_SIZE);
  let session: Session | undefined;
  let notifying: Promise<void> = Promise.resolve();
  const server = makeServer({
    putWindow: (...window) => {
      if (session !== undefined) addon.putWindow(session, ...window);
    },
    putReply: (...prefetched) => {
      if (session !== undefined) addon.putReply(session, ...prefetched);
    },
    clear: () => {
      if (session !== undefined) addon.clearCaches(session);
    },
    notify: (notifications) => {
      // One at a time: each may wait for a read, which needs a thread of libuv's pool, too.
      notifying = notifying.then(async () => {
        if (session !== undefined) await addon.notifyKernel(session, notifications);
      });
    },
  });

  const answer = async (connection: number, length: number): Promise<void> => {
    const reply = await server.answer(buffer.subarray(0, length));
    if (session === undefined) return;
    send(addon, session, connection, reply, log);
    server.recycle(reply);
  };

  const descriptors = [fd];
  while (descriptors.length < THREADS) descriptors.push(addon.cloneDevice(fd));
  await new Promise<void>((resolve, reject) => {
    const take = (connection: number, length: number, isNotification: boolean): void => {
      if (isNotification) {
        server.notify(buffer.subarray(0, length));
        return;
      }
      if (connection >= 0) {
        void answer(connection, length);
        return;
      }
      session = undefined;
      if (length === 0) resolve();
      else reject(new HostError({ file: "/dev/fuse", thing: "errno of a read", found: length }, "EIO"));
    };
    const percent = Math.ceil(memoryShare * 100);
    session = addon.serve(Float64Array.from(descriptors), WINDOW_SIZE, buffer, take, percent);
  });
}

function send(addon: Addon, session: Session, connection: number, bytes: Buffer, log: Logger): void {
  const error = -addon.reply(session, connection, bytes);
  // ENOENT: the request was interrupted. ENODEV: the mount has ended.
  if (error === 0 || error === Errno.ENOENT || error === Errno.ENODEV) return;
  log.error({ errno: error }, "the kernel rejected a reply: a bug in vdisk, please report it");
  if (bytes.readInt32LE(4) === 0)
    send(addon, session, connection, seal(reply(0), bytes.subarray(8, 16), Errno.EIO), log);
}

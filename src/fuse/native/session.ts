/** One mount's connection: the addon's threads, and for what they leave to us, a server. */
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

/** Bytes of the largest request: a header, and a name or two (native-bindings/device.cc, kRequestSize). */
const REQUEST_SIZE = 64 * 2 ** 10;

/** Threads that answer reads. They wait for the host's disk, so a few more than there are processors. */
const THREADS = Math.min(Math.max(availableParallelism(), 4), 8);

/**
 * Serves the connection `fd`, which it takes over, until the mount ends. Reads are answered by threads; other
 * requests go on being taken while one waits.
 * @returns settles when the mount has ended, whoever ended it.
 */
export async function runSession(
  addon: Addon,
  fd: number,
  makeServer: (threads: Threads) => Server,
  log: Logger,
): Promise<void> {
  const room = Buffer.allocUnsafeSlow(REQUEST_SIZE);
  let session: Session | undefined;
  const server = makeServer({
    putWindow: (...window) => {
      if (session !== undefined) addon.putWindow(session, ...window);
    },
    offer: (...offer) => {
      if (session !== undefined) addon.offer(session, ...offer);
    },
  });

  const answer = async (lane: number, length: number): Promise<void> => {
    const reply = await server.answer(room.subarray(0, length));
    if (session === undefined) return;
    send(addon, session, lane, reply, log);
    server.recycle(reply);
  };

  const descriptors = [fd];
  while (descriptors.length < THREADS) descriptors.push(addon.cloneDevice(fd));
  await new Promise<void>((resolve, reject) => {
    const take = (lane: number, length: number, isAnswered: boolean): void => {
      if (isAnswered) {
        server.answered(room.subarray(0, length));
        return;
      }
      if (lane >= 0) {
        void answer(lane, length);
        return;
      }
      session = undefined;
      if (length === 0) resolve();
      else reject(new HostError({ file: "/dev/fuse", thing: "errno", found: length }, "EIO"));
    };
    const percent = Math.ceil(memoryShare * 100);
    session = addon.serve(Float64Array.from(descriptors), WINDOW_SIZE, room, take, percent);
  });
}

function send(addon: Addon, session: Session, lane: number, bytes: Buffer, log: Logger): void {
  const error = -addon.reply(session, lane, bytes);
  // ENOENT: nobody waits for it any more. ENODEV: the mount has ended.
  if (error === 0 || error === Errno.ENOENT || error === Errno.ENODEV) return;
  log.error({ errno: error }, "the kernel refuses a reply: a bug in vdisk, please report it");
  if (bytes.readInt32LE(4) === 0)
    send(addon, session, lane, seal(reply(0), bytes.subarray(8, 16), Errno.EIO), log);
}

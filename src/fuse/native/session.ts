/** One mount's connection: takes requests from the device, has them answered, writes the replies. */
import { close, writeSync } from "node:fs";
import { promisify } from "node:util";
import type { Logger } from "pino";
import { fromHost, HostError, isErrnoException } from "../../errors.js";
import { Errno } from "../errno.js";
import { reply, seal } from "../protocol/reply.js";
import type { Addon } from "./addon.js";
import type { Server } from "./server.js";

/** Bytes of the largest request: a header, and a name or two. The kernel insists on 8 KiB (FUSE_MIN_READ_BUFFER). */
const REQUEST_SIZE = 64 * 2 ** 10;

/** Requests that are taken in one turn of the event loop, so that replies are not kept waiting by a flood. */
const TURN = 16;

/**
 * Serves the device `fd` until the mount ends, and closes it. Other requests go on being taken while one waits.
 * @returns settles when the mount has ended, whoever ended it.
 */
export async function runSession(addon: Addon, fd: number, server: Server, log: Logger): Promise<void> {
  const request = Buffer.allocUnsafeSlow(REQUEST_SIZE);
  let ended = false;

  const answer = async (length: number): Promise<void> => {
    const reply = await server.answer(request.subarray(0, length));
    // The descriptor's number may be another file's by now.
    if (reply === undefined || ended) return;
    send(fd, reply, log);
    server.recycle(reply);
  };

  try {
    await new Promise<void>((resolve, reject) => {
      const watch = addon.watch(fd, () => {
        for (let taken = 0; taken < TURN && !ended; taken++) {
          const length = addon.read(fd, request);
          if (length > 0) {
            void answer(length);
          } else if (-length === Errno.EAGAIN) {
            return;
          } else if (-length !== Errno.ENOENT) {
            // ENOENT: the request was taken back while we took it.
            ended = true;
            addon.unwatch(watch);
            if (-length === Errno.ENODEV) resolve();
            else reject(new HostError({ file: "/dev/fuse", thing: "errno", found: -length }, "EIO"));
          }
        }
      });
    });
  } finally {
    await promisify(close)(fd);
  }
}

function send(fd: number, bytes: Buffer, log: Logger): void {
  try {
    writeSync(fd, bytes);
  } catch (error) {
    if (!isErrnoException(error)) throw error;
    // ENOENT: nobody waits for it any more. ENODEV: the mount has ended; the next read says so.
    if (error.code === "ENOENT" || error.code === "ENODEV") return;
    log.error(fromHost(error, "/dev/fuse"), "the kernel refuses a reply: a bug in vdisk, please report it");
    if (bytes.readInt32LE(4) === 0) send(fd, seal(reply(0), bytes.subarray(8, 16), Errno.EIO), log);
  }
}

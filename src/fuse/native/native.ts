/**
 * The backend of our own, for Linux: /dev/fuse's wire protocol in TypeScript. The addon in native-bindings does
 * what Node cannot (mount, receive a descriptor, wait for it); it knows nothing of what requests mean.
 *
 *   kernel-mount.ts   /dev/fuse attached to a directory
 *   session.ts        requests taken, replies written
 *   server.ts         requests answered from a tree; no kernel needed
 *   ../protocol/      bytes to values and back
 */
import { realpath } from "node:fs/promises";
import { fromHost, HostError, UnsupportedError, thrownElsewhere } from "../../errors.js";
import { loadAddon } from "../../storage/addon.js";
import type { FuseBackend } from "../backend.js";
import { mountingProblem } from "../preconditions.js";
import { attach, detach, raiseReadAhead } from "./kernel-mount.js";
import { serve, type Server } from "./server.js";
import { runSession } from "./session.js";
import type { Threads } from "./threads.js";

export const nativeBackend: FuseBackend = {
  name: "native",

  async unavailable() {
    const addon = loadAddon();
    return typeof addon === "string" ? addon : mountingProblem();
  },

  async mount(tree, mountPoint, options) {
    const addon = loadAddon();
    if (typeof addon === "string") throw new UnsupportedError(addon);
    const problem = await mountingProblem();
    if (problem !== undefined) throw new UnsupportedError(problem);
    const target = await realpath(mountPoint).catch((error: unknown) => {
      throw fromHost(error, mountPoint);
    });

    let greeted!: (problem?: UnsupportedError) => void;
    const greeting = new Promise<UnsupportedError | undefined>((resolve) => {
      greeted = resolve;
    });
    const onlyFor = options.allowRoot && !options.allowOther ? process.getuid!() : undefined;
    const makeServer = (threads: Threads): Server => serve(tree, options.log, greeted, threads, onlyFor);
    const fd = await attach(addon, target, options);
    const giveUp = async (error: unknown): Promise<never> => {
      await detach(addon, target, true).catch(thrownElsewhere); // the error that comes first counts
      throw fromHost(error, target);
    };
    const ended = runSession(addon, fd, makeServer, options.log).catch(giveUp);
    const unserved = await Promise.race([greeting, ended.then(() => endedEarly(target))]);
    if (unserved !== undefined) return giveUp(unserved);
    await raiseReadAhead(target).catch(giveUp);

    let isDetached = false; // what is mounted there from now on is not ours
    const over = (): void => {
      isDetached = true;
    };
    ended.then(over, over);
    return {
      ended,
      async unmount(lazy) {
        if (isDetached) return;
        await detach(addon, target, lazy);
        isDetached = true;
        // A lazily detached mount is served for as long as someone has a file of it open.
        if (!lazy) await ended;
      },
    };
  },
};

function endedEarly(target: string): HostError {
  return new HostError({ file: target, thing: "the mount ended before it was served" }, "ENOTCONN");
}

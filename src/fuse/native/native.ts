/**
 * The native backend, for Linux. TypeScript decodes and answers the requests of /dev/fuse; the addon (native-bindings/)
 * mounts, reads requests with its threads, and answers those for which it has mapped windows or prefetched replies.
 *
 *   kernel-mount.ts   mounting and unmounting
 *   session.ts        requests from the addon's threads, replies to them
 *   server.ts         answers requests from a tree; needs no kernel
 *   directories.ts    … listings; pages.ts, reply-writer.ts, kept-pages.ts
 *   files.ts          … reads; windows.ts
 *   read-ahead.ts     prefetches for programs that walk the tree
 *   ../protocol/      encodes and decodes messages
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

    let onInit!: (problem?: UnsupportedError) => void;
    const initialized = new Promise<UnsupportedError | undefined>((resolve) => {
      onInit = resolve;
    });
    const onlyFor = options.allowRoot && !options.allowOther ? process.getuid!() : undefined;
    const makeServer = (threads: Threads): Server => serve(tree, options.log, onInit, threads, onlyFor);
    const fd = await attach(addon, target, options);
    const giveUp = async (error: unknown): Promise<never> => {
      await detach(addon, target, true).catch(thrownElsewhere); // report the first error
      throw fromHost(error, target);
    };
    const ended = runSession(addon, fd, makeServer, options.log).catch(giveUp);
    const unserved = await Promise.race([initialized, ended.then(() => endedEarly(target))]);
    if (unserved !== undefined) return giveUp(unserved);
    await raiseReadAhead(target).catch(giveUp);

    let isDetached = false; // after that, another mount may be at the same place
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
        // A lazily detached mount is served until its last open file is closed.
        if (!lazy) await ended;
      },
    };
  },
};

function endedEarly(target: string): HostError {
  return new HostError({ file: target, thing: "something unmounted it before it was ready" }, "ENOTCONN");
}

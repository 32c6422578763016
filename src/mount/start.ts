/** Starting a mount in the background: answers when it is usable, or says why it is not. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile, rename, rm } from "node:fs/promises";
import { promisify } from "node:util";
import { DiskError, HostError } from "../errors.js";
import { takeMount } from "./begin.js";
import type { AskedMount, DaemonMessage } from "./daemon.js";
import { checkMountPoint } from "./place.js";
import type { StartedMount } from "./serve.js";
import { stateFiles } from "./state.js";

/** What a mount of its own process is for, without the place. */
export type PlacelessRequest = Omit<AskedMount, "mountPoint">;

/**
 * Mounts at `place`, in a process of its own, which goes on when this one ends.
 * @param prepare gives what is wanted; that may take a while, in which the process begins.
 * @throws {DiskError} when it cannot be mounted; whatever `prepare` throws.
 */
export async function startMount(
  place: string,
  prepare: () => Promise<PlacelessRequest>,
): Promise<StartedMount> {
  const { child, log } = await takeMount([place]);
  child.ref();
  child.channel?.ref();
  const hearing = Promise.race([once(child, "message"), once(child, "disconnect").then(() => [])]);
  hearing.catch(() => undefined); // it is awaited below, if at all
  try {
    const mountPoint = await checkMountPoint(place);
    const request: AskedMount = { ...(await prepare()), mountPoint };
    child.send(request, () => undefined); // where it has ended already, there is more to be heard below
    const [message] = (await hearing) as [DaemonMessage?];
    if (message?.kind === "ready") {
      // The mount is there, and stays once its process knows that this is known: an interruption comes too late.
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
      await promisify((done: () => void) => child.send("heard", done))();
      return message.mount;
    }
    if (message !== undefined && message.code !== "BUG") throw new DiskError(message.code, message.message);
    const said = (await stateFiles(mountPoint)).log;
    await rename(log, said).catch(() => undefined); // it is that already where it ended late
    if (message !== undefined) throw new Error(`${message.message}; see ${said}`);
    throw new HostError(
      {
        file: mountPoint,
        thing: `the mount's process ended at once: ${await lastLine(said)}`,
        hint: `see ${said}`,
      },
      "ECHILD",
    );
  } catch (error) {
    // Who hears that there is no mount may count on it that there is no process either.
    child.kill();
    await ended(child);
    await rm(log, { force: true }); // all of it is told
    throw error;
  } finally {
    if (child.connected) child.disconnect();
    child.unref();
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

async function lastLine(path: string): Promise<string> {
  return (await readFile(path, "utf8")).trimEnd().split("\n").at(-1) ?? "";
}

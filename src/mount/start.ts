/** Starting a mount in the background: answers when it is usable, or says why it is not. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { DiskError, HostError, whenHostFails } from "../errors.js";
import { takeDaemon } from "./spawn-daemon.js";
import type { DaemonRequest, DaemonMessage } from "./daemon.js";
import { checkMountPoint } from "./mount-point.js";
import type { StartedMount } from "./serve.js";
import { stateFiles } from "./records.js";

/** What a mount of its own process is for, without the place. */
export type RequestWithoutMountPoint = Omit<DaemonRequest, "mountPoint">;

/**
 * Mounts at `place`, in a process of its own, which goes on when this one ends.
 * @param prepare gives what is wanted; that may take a while, in which the process begins.
 * @throws {DiskError} when it cannot be mounted; whatever `prepare` throws.
 */
export async function startMount(
  place: string,
  prepare: () => Promise<RequestWithoutMountPoint>,
): Promise<StartedMount> {
  const { child, heard, log } = await takeDaemon([place]);
  child.ref();
  child.channel?.ref();
  let isLogKept = false;
  try {
    const mountPoint = await checkMountPoint(place);
    const request: DaemonRequest = { ...(await prepare()), mountPoint };
    child.send(request, () => undefined); // where it has ended already, there is more to be heard below
    const [message] = (await heard) as [DaemonMessage?];
    // The mount is there, and stays once its process knows that this is known: an interruption comes too late.
    if (message?.kind === "ready" && (await acknowledge(child))) return message.mount;
    if (message?.kind === "failed" && message.code !== "BUG")
      throw new DiskError(message.code, message.message);
    isLogKept = existsSync(log);
    const said = isLogKept ? log : (await stateFiles(mountPoint)).log;
    if (message?.kind === "failed") throw new Error(`${message.message}; see ${said}`);
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
    if (!isLogKept) await rm(log, { force: true }); // all of it is told
    throw error;
  } finally {
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** Lets `child` know that its mount is known, and lets nothing interrupt this process from now on; whether it was there. */
async function acknowledge(child: ChildProcess): Promise<boolean> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  return new Promise((resolve) => {
    child.send("heard", (error) => {
      resolve(error === null);
    });
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

async function lastLine(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch(whenHostFails(""));
  return text.trimEnd().split("\n").at(-1) ?? "";
}

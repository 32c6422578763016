/** Starts a mount in the background, and waits until it is usable or has failed. */
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

/** A mount request, without its mount point. */
export type RequestWithoutMountPoint = Omit<DaemonRequest, "mountPoint">;

/**
 * Mounts on `path`, in a process of its own, which goes on when this one ends.
 * @param prepare returns the request. The process starts while it runs.
 * @throws {DiskError} if the mount fails; also what `prepare` throws.
 */
export async function startMount(
  path: string,
  prepare: () => Promise<RequestWithoutMountPoint>,
): Promise<StartedMount> {
  const { child, firstMessage, log } = await takeDaemon([path]);
  child.ref();
  child.channel?.ref();
  let isLogKept = false;
  try {
    const mountPoint = await checkMountPoint(path);
    const request: DaemonRequest = { ...(await prepare()), mountPoint };
    child.send(request, () => undefined); // if the process has ended already, the code below says why
    const [message] = (await firstMessage) as [DaemonMessage?];
    // From the acknowledgement on, the mount stays, even if this process is interrupted.
    if (message?.kind === "ready" && (await acknowledge(child))) return message.mount;
    if (message?.kind === "failed" && message.code !== "BUG")
      throw new DiskError(message.code, message.message);
    isLogKept = existsSync(log);
    const logFile = isLogKept ? log : (await stateFiles(mountPoint)).log;
    if (message?.kind === "failed") throw new Error(`${message.message}; see ${logFile}`);
    throw new HostError(
      {
        file: mountPoint,
        thing: `the mount's process ended unexpectedly: ${await lastLine(logFile)}`,
        hint: `see ${logFile}`,
      },
      "ECHILD",
    );
  } catch (error) {
    // The process ends before the error is thrown.
    child.kill();
    await ended(child);
    if (!isLogKept) await rm(log, { force: true }); // the error says everything that is in it
    throw error;
  } finally {
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** Tells `child` that its parent knows of the mount, and ignores signals from now on. Returns false if `child` has ended. */
async function acknowledge(child: ChildProcess): Promise<boolean> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  return new Promise((resolve) => {
    child.send("acknowledged", (error) => {
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

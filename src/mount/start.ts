/** Starting a mount in the background: answers when it is usable, or says why it is not. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { constants, open, readFile } from "node:fs/promises";
import { DiskError, fromHost, HostError } from "../errors.js";
import { packageFile } from "../package.js";
import type { DaemonMessage } from "./daemon.js";
import { checkMountPoint } from "./place.js";
import type { MountRequest, StartedMount } from "./serve.js";
import { stateFiles } from "./state.js";

/**
 * How V8 runs. It may take a GiB, of which a tenth is in use: told so much less than its usual 4 GiB, it collects
 * garbage sooner; a walk through 135,000 files took 70 MB less, and a tenth more time. The young generation's halves
 * begin as large as they may become: grown step by step from 1 MiB, a walk cost a quarter more processor time, since
 * the pages of listings, which live for moments, had outlived two collections; and with 16 MiB the process grew by 15.
 * A mount lives for a second or for weeks: with less inlining its code is compiled in less time, a tenth of such a
 * walk, and is no slower.
 */
const ENGINE = [
  "--max-old-space-size=1024",
  "--min-semi-space-size=8",
  "--max-semi-space-size=8",
  "--max-inlined-bytecode-size-cumulative=300",
];

/** What a mount of its own process is for, without the place. */
export type PlacelessRequest = Omit<MountRequest, "mountPoint">;

/**
 * Mounts at `place`, in a process of its own, which goes on when this one ends.
 * @param prepare gives what is wanted; that may take a while, in which the process begins.
 * @throws {DiskError} when it cannot be mounted; whatever `prepare` throws.
 */
export async function startMount(
  place: string,
  prepare: () => Promise<PlacelessRequest>,
): Promise<StartedMount> {
  const mountPoint = await checkMountPoint(place);
  const { log } = await stateFiles(mountPoint);
  // Appending keeps whole the lines of two processes that start at once; only one of them will mount.
  const appending = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;
  const logFile = await open(log, appending, 0o600).catch((error: unknown) => {
    throw fromHost(error, log);
  });
  const child = fork(packageFile("dist/mount/daemon.js"), [mountPoint], {
    detached: true,
    execArgv: ENGINE,
    stdio: ["ignore", logFile.fd, logFile.fd, "ipc"],
  });
  const hearing = Promise.race([once(child, "message"), once(child, "disconnect").then(() => [])]);
  hearing.catch(() => undefined); // it is awaited below, if at all
  try {
    const request = await prepare().catch(async (error: unknown) => {
      child.kill();
      await ended(child);
      throw error;
    });
    child.send({ ...request, mountPoint }, () => undefined); // where it has ended already, there is more to be heard below
    const [message] = (await hearing) as [DaemonMessage?];
    if (message?.kind === "ready") return message.mount;
    // Who hears that there is no mount may count on it that there is no process either.
    if (message !== undefined) await ended(child);
    if (message?.code === "BUG") throw new Error(`${message.message}; see ${log}`);
    if (message !== undefined) throw new DiskError(message.code, message.message);
    throw new HostError(
      {
        file: mountPoint,
        thing: `the mount's process ended at once: ${await lastLine(log)}`,
        hint: `see ${log}`,
      },
      "ECHILD",
    );
  } finally {
    await logFile.close();
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

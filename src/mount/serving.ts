/** Finds out whether a mount is still served: by its process if that is visible, or by a request to the mount. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { isRunning, pidNamespace, startOf } from "./process.js";
import type { MountRecord } from "./records.js";

/** Seconds by which the clock may have been set back since the mount. */
const CLOCK_SLACK = 60;

/**
 * Returns whether the process that wrote `record` still runs (its number may have been reused). Undefined if that process
 * is in another PID namespace, a container's for example, where numbers have another meaning.
 */
export function isServing({ pid, pidNamespace: its, since }: MountRecord): boolean | undefined {
  const own = pidNamespace();
  if (its !== undefined && own !== undefined && its !== own) return undefined;
  if (!isRunning(pid)) return false;
  const started = startOf(pid);
  return started === undefined || since === undefined || started <= Date.parse(since) / 1000 + CLOCK_SLACK;
}

/** Milliseconds that a mount may take to reply. */
const PATIENCE = 1000;

/**
 * Sends a request to the mount on `mountPoint`. Returns whether it is served; undefined if there is no reply in time. A
 * program of its own, stat(1), does it, since a program can be killed while it waits, and a thread of this process cannot.
 */
export async function probe(mountPoint: string): Promise<boolean | undefined> {
  try {
    await promisify(execFile)("stat", ["-f", "-c", "", "--", mountPoint], {
      env: { ...process.env, LC_ALL: "C" },
      timeout: PATIENCE,
      killSignal: "SIGKILL",
    });
    return true;
  } catch (error) {
    const { stderr = "" } = error as { stderr?: string };
    return stderr.includes("Transport endpoint is not connected") ? false : undefined; // ENOTCONN
  }
}

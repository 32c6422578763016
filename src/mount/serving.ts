/** Whether a mount is served: by its process, if that can be seen, or by what the mount itself answers. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { isRunning, pidNamespace, startOf } from "./process.js";
import type { MountRecord } from "./records.js";

/** Seconds by which the clock may have been set back since. */
const CLOCK_SLACK = 60;

/**
 * Whether the process that wrote `record` is still there; another one may have its number by now. Undefined if that
 * process lives in another PID namespace, a container's for example: its number means nothing here.
 */
export function isServing({ pid, pidNamespace: its, since }: MountRecord): boolean | undefined {
  const own = pidNamespace();
  if (its !== undefined && own !== undefined && its !== own) return undefined;
  if (!isRunning(pid)) return false;
  const started = startOf(pid);
  return started === undefined || since === undefined || started <= Date.parse(since) / 1000 + CLOCK_SLACK;
}

/** Milliseconds that a mount may take to answer. */
const PATIENCE = 1000;

/**
 * Whether the mount on `mountPoint` answers; undefined if it does not tell. Another program asks it: it may be ended
 * when no answer comes, which a thread of this process may not.
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

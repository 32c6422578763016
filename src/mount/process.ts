/** Other processes of the host. */
import { isErrnoException, unlessHostFails } from "../errors.js";
import { readFileSync, readlinkSync } from "node:fs";

/** Whether the process `pid` is there and has not ended. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!isErrnoException(error)) throw error;
    if (error.code !== "EPERM") return false;
  }
  return statOf(pid)?.[0] !== "Z"; // ended, but nobody has waited for it
}

/** The PID namespace of this process, in which alone its number means it; undefined if the host has none. */
export function pidNamespace(): string | undefined {
  return unlessHostFails(() => readlinkSync("/proc/self/ns/pid"), undefined);
}

/** Ticks of the kernel's clock for user space (USER_HZ), the same on all that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Where the start is, counted from the third field. */
const START = 22 - 3;

/** When the process `pid` was started, in seconds since 1970; undefined where the host does not tell. */
export function startOf(pid: number): number | undefined {
  const ticks = statOf(pid)?.[START];
  const boot = /^btime (\d+)$/m.exec(textOf("/proc/stat"))?.[1];
  if (ticks === undefined || boot === undefined) return undefined;
  return Number(boot) + Number(ticks) / TICKS_PER_SECOND;
}

/** The fields from the third on. Source: proc_pid_stat(5). */
function statOf(pid: number): string[] | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  // The second field is a name in parentheses, which may hold anything.
  return text === "" ? undefined : text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function textOf(path: string): string {
  return unlessHostFails(() => readFileSync(path, "latin1"), ""); // it has ended, or there is no /proc
}

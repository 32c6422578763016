/** Facts about processes of the host. */
import { isErrnoException, unlessHostFails } from "../errors.js";
import { readFileSync, readlinkSync } from "node:fs";

/** Whether the process `pid` exists and has not ended. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!isErrnoException(error)) throw error;
    if (error.code !== "EPERM") return false;
  }
  return statOf(pid)?.[0] !== "Z"; // a zombie: it has ended, and its parent has not waited for it
}

/** Returns the PID namespace of this process. Its PID is valid in that namespace only. Undefined if the host has none. */
export function pidNamespace(): string | undefined {
  return unlessHostFails(() => readlinkSync("/proc/self/ns/pid"), undefined);
}

/** Ticks of the kernel's clock for user space (USER_HZ), the same on all processors that Node supports. */
const TICKS_PER_SECOND = 100;

/** The index of the start time, counted from the third field. */
const START = 22 - 3;

/** Returns when the process `pid` was started, in seconds since 1970; undefined if the host does not say. */
export function startOf(pid: number): number | undefined {
  const ticks = statOf(pid)?.[START];
  const boot = /^btime (\d+)$/m.exec(textOf("/proc/stat"))?.[1];
  if (ticks === undefined || boot === undefined) return undefined;
  return Number(boot) + Number(ticks) / TICKS_PER_SECOND;
}

/** Returns the fields from the third on. Source: proc_pid_stat(5). */
function statOf(pid: number): string[] | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  // The second field is the name in parentheses, which may contain spaces and parentheses.
  return text === "" ? undefined : text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function textOf(path: string): string {
  return unlessHostFails(() => readFileSync(path, "latin1"), ""); // the process has ended, or there is no /proc
}

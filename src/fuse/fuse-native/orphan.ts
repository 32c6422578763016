/**
 * Programs that are no longer our children when they end.
 *
 * When a mount ends, libfuse 2.9.9 cancels its threads (fuse_session_loop_mt in fuse_loop_mt.c), and they do not
 * block SIGCHLD. One that is just being cancelled may be given the signal of the very `umount` that ended the
 * mount. libuv's handler begins by reading its lock from a pipe (uv__signal_lock in src/unix/signal.c), and a read
 * is where a thread is cancelled. Either it ends there, and the child is never reaped; or it has the lock already
 * and waits in glibc 2.36 for a cancellation that cannot come before the handler returns
 * (__pthread_disable_asynccancel in nptl/cancellation.c), and the next signal stops the main thread too.
 *
 * So no child of ours may end when a mount does. Here a shell starts the program in the background, and is gone
 * before the program begins. Then libuv has no child to wait for, and so no handler for the signal: it does no
 * harm even where we are the init to whom orphans fall.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Writable } from "node:stream";

/**
 * Runs `file`: its exit code, and what it has said by its end.
 * @throws {Error} of Node when there is no shell.
 */
export async function runOrphan(
  file: string,
  args: readonly string[],
): Promise<{ code: number; complaint: string }> {
  const shell = spawn("/bin/sh", ["-c", SCRIPT, "sh", file, ...args], {
    env: { ...process.env, LC_ALL: "C" }, // callers match what is said
    stdio: ["ignore", "pipe", "ignore", "pipe"],
  });
  // It is reaped by now, and its handle closed.
  shell.once("exit", () => (shell.stdio[3] as Writable).destroy());
  const lines: string[] = [];
  createInterface(shell.stdout!).on("line", (line) => lines.push(line));
  await new Promise((resolve, reject) => {
    shell.once("close", resolve).once("error", reject);
  });
  const [code, ...complaint] = lines;
  if (code === undefined) return { code: 1, complaint: `${file} or its shell was killed` };
  return { code: Number(code), complaint: complaint.join("\n").trim() };
}

/** The program waits for the end of descriptor 3. */
const SCRIPT = '{ read -r end <&3; said=$("$@" 2>&1); echo "$?"; echo "$said"; } &';

/**
 * Runs programs that are not children of this process when they end.
 *
 * When a mount ends, libfuse 2.9.9 cancels its threads (fuse_session_loop_mt in fuse_loop_mt.c), which do not block
 * SIGCHLD. A thread that is being cancelled may receive the SIGCHLD of the `umount` that ended the mount. libuv's signal
 * handler begins with a read from a pipe, which is its lock (uv__signal_lock in src/unix/signal.c), and read(2) is a
 * cancellation point. Either the thread ends there, and the child is never reaped. Or the thread holds the lock already,
 * and waits in glibc 2.36 for a cancellation that cannot happen before the handler returns
 * (__pthread_disable_asynccancel in nptl/cancellation.c); the next signal then blocks the main thread, too.
 *
 * So no child of this process may end at that time. A shell starts the program in the background, and has ended before the
 * program begins. libuv then has no child and no handler for SIGCHLD, so that the signal does no harm, even if this process
 * is the init process of a container, which orphans become children of.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Writable } from "node:stream";

/**
 * Runs `file` until it ends. Resolves to its exit code and its output.
 * @throws {Error} of Node's if there is no shell.
 */
export async function runOrphan(
  file: string,
  args: readonly string[],
): Promise<{ code: number; message: string }> {
  const shell = spawn("/bin/sh", ["-c", SCRIPT, "sh", file, ...args], {
    env: { ...process.env, LC_ALL: "C" }, // callers look for messages in English
    stdio: ["ignore", "pipe", "ignore", "pipe"],
  });
  // The shell has been reaped: the program may begin.
  shell.once("exit", () => (shell.stdio[3] as Writable).destroy());
  const lines: string[] = [];
  createInterface(shell.stdout!).on("line", (line) => lines.push(line));
  await new Promise((resolve, reject) => {
    shell.once("close", resolve).once("error", reject);
  });
  const [code, ...message] = lines;
  if (code === undefined) return { code: 1, message: `${file} or its shell was killed` };
  return { code: Number(code), message: message.join("\n").trim() };
}

/** Runs the program once descriptor 3 is closed. */
const SCRIPT = '{ read -r end <&3; said=$("$@" 2>&1); echo "$?"; echo "$said"; } &';

/** fusermount3: the set-uid program through which ordinary users mount and unmount. */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { DeniedError, HostError, MissingError } from "../errors.js";

/** The programs of libfuse 3 and of libfuse 2, which takes the same arguments. */
const NAMES = ["fusermount3", "fusermount"];

/** The program's path; `undefined` if it is not installed. */
export async function findFusermount(): Promise<string | undefined> {
  for (const name of NAMES) {
    for (const folder of (process.env["PATH"] ?? "/usr/bin:/bin").split(delimiter)) {
      const path = join(folder, name);
      const found = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (found) return path;
    }
  }
  return undefined;
}

/** Runs a program until it ends. Resolves to its exit code and its error messages. */
export type Run = (
  file: string,
  args: readonly string[],
) => Promise<{ code: number | null; message: string }>;

/**
 * Runs fusermount3. The last of `args` is the mount point.
 * @throws {MissingError | DeniedError | HostError} with its message, and what to do.
 */
export async function fusermount(args: readonly string[], run: Run): Promise<void> {
  const path = await findFusermount();
  if (path === undefined) throw new MissingError(NO_FUSERMOUNT);
  const { code, message } = await run(path, args);
  if (code !== 0) throw explain(args.at(-1)!, message);
}

/**
 * Runs it as a child process.
 * @param socket through which it sends the descriptor that it opens. Stays the caller's.
 */
export function asChild(socket?: number): Run {
  return (file, args) =>
    new Promise((resolve, reject) => {
      const child = spawn(file, args, {
        // `explain` expects messages in English.
        env: { ...process.env, LC_ALL: "C", ...(socket !== undefined && { _FUSE_COMMFD: "3" }) },
        stdio: ["ignore", "ignore", "pipe", ...(socket === undefined ? [] : [socket])],
      });
      const parts: Buffer[] = [];
      child.stderr!.on("data", (part: Buffer) => parts.push(part));
      child.on("error", reject);
      child.on("close", (code) => {
        resolve({ code, message: Buffer.concat(parts).toString().trim() });
      });
    });
}

const NO_FUSERMOUNT = {
  file: "fusermount3",
  thing: "ordinary users need this program to mount, and it is not installed",
  hint: "apt-get install fuse3",
};

/** Converts an error message of fusermount3 (libfuse 3, util/fusermount.c) to an error that says what to do. */
function explain(mountPoint: string, message: string): Error {
  const thing = message || "fusermount3 failed";
  if (message.includes("user_allow_other")) return othersRefused(mountPoint);
  if (/busy/i.test(message)) return busy(mountPoint);
  if (/permission|permitted|no write access|not owned/i.test(message)) {
    return new DeniedError({ file: mountPoint, thing, hint: "choose an empty directory of your own" });
  }
  if (message.includes("could not determine username")) {
    const hint =
      "fusermount3 mounts only for users with an entry in the password file; vdisk ls, cat and info work without a mount";
    return new HostError({ file: mountPoint, thing, hint }, "EIO");
  }
  return new HostError(
    { file: mountPoint, thing },
    /not found in|not mounted/.test(message) ? "EINVAL" : "EIO",
  );
}

/** The error for a mount with allow_other by an ordinary user who may not do that. */
export function othersRefused(mountPoint: string): DeniedError {
  return new DeniedError({
    file: mountPoint,
    thing: "ordinary users may not mount with allow_other or allow_root",
    hint: "root can permit it by a line user_allow_other in /etc/fuse.conf",
  });
}

/** The error for an unmount while files are open. */
export function busy(mountPoint: string): HostError {
  const hint = `close the files that are open (fuser -vm ${mountPoint} lists them), or unmount lazily`;
  return new HostError({ file: mountPoint, thing: "the mount is in use", hint }, "EBUSY");
}

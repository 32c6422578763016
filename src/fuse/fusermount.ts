/** The set-uid helper through which ordinary users mount and unmount. */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { DeniedError, HostError, MissingError } from "../errors.js";

/** libfuse 3's first; libfuse 2's does the same for us. */
const NAMES = ["fusermount3", "fusermount"];

/** The helper's path; `undefined` where none is installed. */
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

/** Runs a program to its end, and gives what it has complained of. */
export type Run = (
  file: string,
  args: readonly string[],
) => Promise<{ code: number | null; complaint: string }>;

/**
 * Runs the helper with `args`, of which the last is the mount point.
 * @throws {MissingError | DeniedError | HostError} with what the helper says, and the next step.
 */
export async function fusermount(args: readonly string[], run: Run): Promise<void> {
  const path = await findFusermount();
  if (path === undefined) throw new MissingError(NO_FUSERMOUNT);
  const { code, complaint } = await run(path, args);
  if (code !== 0) throw explain(args.at(-1)!, complaint);
}

/** Runs it as a child. @param socket where it is to send the descriptor that it opens; stays the caller's. */
export function asChild(socket?: number): Run {
  return (file, args) =>
    new Promise((resolve, reject) => {
      const child = spawn(file, args, {
        // The messages are matched below.
        env: { ...process.env, LC_ALL: "C", ...(socket !== undefined && { _FUSE_COMMFD: "3" }) },
        stdio: ["ignore", "ignore", "pipe", ...(socket === undefined ? [] : [socket])],
      });
      const parts: Buffer[] = [];
      child.stderr!.on("data", (part: Buffer) => parts.push(part));
      child.on("error", reject);
      child.on("close", (code) => {
        resolve({ code, complaint: Buffer.concat(parts).toString().trim() });
      });
    });
}

const NO_FUSERMOUNT = {
  file: "fusermount3",
  thing: "ordinary users mount through this, and it is not installed",
  hint: "apt-get install fuse3",
};

/** What `complaint`, the helper's own words (util/fusermount.c of libfuse 3), means for the user. */
function explain(mountPoint: string, complaint: string): Error {
  const thing = complaint || "fusermount3 failed";
  if (complaint.includes("user_allow_other")) return othersRefused(mountPoint);
  if (/busy/i.test(complaint)) return busy(mountPoint);
  if (/permission|permitted|no write access|not owned/i.test(complaint)) {
    return new DeniedError({ file: mountPoint, thing, hint: "choose an empty directory of your own" });
  }
  if (complaint.includes("could not determine username")) {
    const hint =
      "fusermount3 mounts only for users who have an entry in the password file; vdisk ls, cat and info work without";
    return new HostError({ file: mountPoint, thing, hint }, "EIO");
  }
  return new HostError(
    { file: mountPoint, thing },
    /not found in|not mounted/.test(complaint) ? "EINVAL" : "EIO",
  );
}

/** Why an ordinary user's mount with allow_other fails. */
export function othersRefused(mountPoint: string): DeniedError {
  return new DeniedError({
    file: mountPoint,
    thing: "other users may not be let in",
    hint: "have root write a line user_allow_other into /etc/fuse.conf",
  });
}

/** Why an unmount fails while files are open. */
export function busy(mountPoint: string): HostError {
  const hint = `close what is open there (fuser -vm ${mountPoint}), or unmount lazily`;
  return new HostError({ file: mountPoint, thing: "the mount is in use", hint }, "EBUSY");
}

/** What both backends require of the host. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { findFusermount } from "./fusermount.js";

/** Why nothing can be mounted here, and what to do; `undefined` if mounting is possible. */
export async function mountingProblem(): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  // fusermount3 opens it with the user's permissions.
  const error = await access("/dev/fuse", constants.R_OK | constants.W_OK).then(
    () => undefined,
    (error: unknown) => error as NodeJS.ErrnoException,
  );
  if (error?.code === "ENOENT") {
    return "/dev/fuse does not exist; load it with modprobe fuse, or start the container with --device /dev/fuse";
  }
  if (error !== undefined) {
    return "no permission to open /dev/fuse; use sudo, or let root run chmod 666 /dev/fuse, the usual mode of it";
  }
  if (process.geteuid?.() !== 0 && (await findFusermount()) === undefined) {
    return "ordinary users need fusermount3 to mount, and it is not installed; apt-get install fuse3";
  }
  return undefined;
}

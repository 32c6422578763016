/** What both backends need of the host. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { findFusermount } from "./fusermount.js";

/** Why nothing can be mounted here, with the next step; `undefined` where it can. */
export async function mountingProblem(): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  // fusermount3 opens it with the user's own rights.
  const error = await access("/dev/fuse", constants.R_OK | constants.W_OK).then(
    () => undefined,
    (error: unknown) => error as NodeJS.ErrnoException,
  );
  if (error?.code === "ENOENT") {
    return "/dev/fuse does not exist; load it with modprobe fuse, or start the container with --device /dev/fuse";
  }
  if (error !== undefined) {
    return "/dev/fuse may not be opened; use sudo, or have root chmod 666 it, as most distributions do";
  }
  if (process.geteuid?.() !== 0 && (await findFusermount()) === undefined) {
    return "fusermount3, through which ordinary users mount, is not installed; apt-get install fuse3";
  }
  return undefined;
}

/** What both backends need of the host. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { findFusermount } from "./fusermount.js";

/**
 * Why nothing can be mounted here, with the next step; `undefined` where it can.
 * @param opens whether this process opens /dev/fuse by itself; fusermount3 may where the user may not.
 */
export async function mountingProblem(opens: boolean): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  const isRoot = process.geteuid?.() === 0;
  const mode = isRoot || opens ? constants.R_OK | constants.W_OK : constants.F_OK;
  const error = await access("/dev/fuse", mode).then(
    () => undefined,
    (error: unknown) => error as NodeJS.ErrnoException,
  );
  if (error?.code === "ENOENT") {
    return "/dev/fuse does not exist; load it with modprobe fuse, or start the container with --device /dev/fuse";
  }
  if (error !== undefined) return "/dev/fuse may not be opened; check its mode, or use sudo";
  if (!isRoot && (await findFusermount()) === undefined) {
    return "fusermount3, through which ordinary users mount, is not installed; apt-get install fuse3";
  }
  return undefined;
}

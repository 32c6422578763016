/** Checks the directory to mount on, before anything is opened. */
import { access, constants, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { DeniedError, fromHost, isErrnoException, MissingError, whenHostFails } from "../errors.js";
import { MOUNT_TYPE, readMountTable } from "./mount-table.js";

/**
 * Returns `path` as an absolute path without symbolic links, as in the mount table.
 * @throws {DiskError} with the reason if it is not an empty directory on which this user may mount.
 */
export async function checkMountPoint(path: string): Promise<string> {
  const place = await resolveMountPoint(path);
  const mounted = (await readMountTable()).findLast((entry) => entry.mountPoint === place);
  if (mounted !== undefined) {
    const isVdisk = mounted.type === MOUNT_TYPE;
    throw new DeniedError({
      file: path,
      thing: `the mount point is in use: ${mounted.source} (${mounted.type}) is mounted on it`,
      hint: isVdisk ? `vdisk unmount ${JSON.stringify(path)}` : "choose another directory",
    });
  }
  try {
    if (!(await stat(place)).isDirectory()) {
      throw new DeniedError({
        file: path,
        thing: "the mount point is not a directory",
        hint: "choose an empty directory",
      });
    }
    if ((await readdir(place)).length > 0) {
      throw new DeniedError({
        file: path,
        thing: "the mount point is not empty; a mount would hide what is in it",
        hint: "choose an empty directory",
      });
    }
    // Root may also mount on a directory that is read-only.
    if (process.geteuid?.() !== 0) await access(place, constants.W_OK);
  } catch (error) {
    if (isErrnoException(error) && error.code === "ENOENT") {
      throw new MissingError({
        file: path,
        thing: "the mount point does not exist",
        hint: `mkdir -p ${JSON.stringify(path)}`,
        cause: error,
      });
    }
    if (isErrnoException(error) && (error.code === "EACCES" || error.code === "EROFS")) {
      throw new DeniedError({
        file: path,
        thing: "the mount point is not yours to use",
        hint: "choose a directory that you may write to",
        cause: error,
      });
    }
    throw fromHost(error, path);
  }
  return place;
}

/**
 * Returns `path` as in the mount table, without a request to what is mounted there: nobody would reply if its process is
 * dead.
 */
export async function resolveMountPoint(path: string): Promise<string> {
  const absolute = resolve(path);
  const real = await realpath(absolute).catch(whenHostFails(undefined));
  if (real !== undefined) return real;
  // A dead mount, or a path that does not exist. Its parent folder can be resolved.
  try {
    return join(await realpath(dirname(absolute)), basename(absolute));
  } catch (error) {
    throw fromHost(error, path);
  }
}

/**
 * The gate: every file that an image names (a parent, an extent, a backing file) is opened through here. A
 * hostile image must not be able to show `/etc/shadow`.
 */
import { fstatSync, readlinkSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, relative, sep } from "node:path";
import { DeniedError, fromHost } from "../errors.js";
import { openFile } from "./file.js";
import type { Storage } from "./storage.js";

export interface Gate {
  /**
   * Opens `path` for reading, when it lies within an allowed folder once every symbolic link is followed.
   * @throws {DeniedError} otherwise; it says which option would allow it.
   */
  open(path: string): Promise<Storage>;
}

/**
 * A gate that lets through regular files and block devices below `folders`, and the exact `files`.
 * Folders and files that do not exist let nothing through.
 */
export async function openGate(folders: readonly string[], files: readonly string[] = []): Promise<Gate> {
  const resolveAll = async (paths: readonly string[]): Promise<string[]> =>
    (await Promise.all(paths.map((path) => realpath(path).catch(() => undefined)))).filter(
      (path) => path !== undefined,
    );
  const roots = await resolveAll(folders);
  const exact = new Set(await resolveAll(files));
  return {
    async open(path) {
      const real = await realpath(path).catch((error: unknown) => {
        throw fromHost(error, path);
      });
      if (!exact.has(real) && !roots.some((root) => isWithin(root, real))) {
        throw new DeniedError({
          file: path,
          thing: "this file is named by an image but lies outside the image's folders",
          hint: `allow it with --allow-dir ${JSON.stringify(dirname(real))}`,
        });
      }
      const storage = await openFile(real, path);
      // The name may have been swapped between the check and the opening.
      if (placeOf(storage.fd) !== real && !(await isStillThere(storage, path, real))) {
        await storage.close();
        throw new DeniedError({
          file: path,
          thing: "this file was replaced while it was being opened",
          hint: "try again",
        });
      }
      return storage;
    },
  };
}

/** Whether `path` is `folder` or lies below it; both resolved. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/** Where the host says that an open file lies; undefined where it does not say, as on macOS. Source: proc_pid_fd(5). */
function placeOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

/** Whether `path` still leads to `real`, and that is what was opened. */
async function isStillThere(storage: Storage, path: string, real: string): Promise<boolean> {
  if ((await realpath(path).catch(() => undefined)) !== real) return false;
  const opened = fstatSync(storage.fd);
  const named = await stat(real).catch(() => undefined);
  return opened.ino === named?.ino && opened.dev === named.dev;
}

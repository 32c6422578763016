/**
 * The gate: every file that an image names (a parent, an extent, a backing file) is opened through here. A
 * hostile image must not be able to show `/etc/shadow`, even if files are renamed while it is opened.
 */
import { fstatSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, relative, sep } from "node:path";
import { DeniedError, fromHost, MissingError, whenHostFails } from "../errors.js";
import { openPinned } from "./file.js";
import { pinResolved, placeOf } from "./pin.js";
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
 * @param pin how a path without symbolic links is pinned; tests replace it.
 */
export async function openGate(
  folders: readonly string[],
  files: readonly string[] = [],
  pin = pinResolved,
): Promise<Gate> {
  const roots = await resolveAll(folders);
  const exact = new Set(await resolveAll(files));
  return {
    async open(path) {
      // Node refuses such a path with a TypeError; an image may name it.
      if (path.includes("\0"))
        throw new MissingError({ file: path, thing: "no file has a name with a zero byte" });
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
      // `real` has no symbolic links, and is opened only as long as that is so.
      return openPinned(await pin(real, path), real, path);
    },
  };
}

/** `paths` with every symbolic link followed, without those that the host cannot resolve. */
export async function resolveAll(paths: readonly string[]): Promise<string[]> {
  const resolved = await Promise.all(paths.map((path) => realpath(path).catch(whenHostFails(undefined))));
  return resolved.filter((path) => path !== undefined);
}

/**
 * The path of the open file `storage`, without symbolic links; undefined if it is unknown. On Linux the host knows it by the
 * descriptor; elsewhere the path must still lead to the file that is open.
 */
export async function locate({ location, fd }: Storage): Promise<string | undefined> {
  if (fd === undefined) return undefined;
  if (process.platform === "linux") return placeOf(fd);
  const real = await realpath(location).catch(whenHostFails(undefined));
  const named =
    real === undefined ? undefined : await stat(real, { bigint: true }).catch(whenHostFails(undefined));
  const opened = fstatSync(fd, { bigint: true });
  return named?.ino === opened.ino && named.dev === opened.dev ? real : undefined;
}

/** Whether `path` is `folder` or lies below it; both resolved. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

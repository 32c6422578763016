/**
 * The gate: every file that an image names (a parent, an extent, a backing file) is opened through a gate, so that a
 * hostile image cannot show `/etc/shadow`, even if files are renamed while they are opened.
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
   * Opens `path` for reading, if the file that it leads to is allowed once every symbolic link is followed.
   * @throws {DeniedError} if it is not; the message says which option allows it.
   * @throws {DiskError} as `openFile`.
   */
  open(path: string): Promise<Storage>;
}

export interface GateOptions {
  /** Single files that are allowed, besides those in the folders. */
  readonly files?: readonly string[];
  /** Returns further folders. It is called at most once, when a file would be denied without them. */
  readonly moreFolders?: () => Promise<readonly string[]>;
  /** How a path without symbolic links is pinned; for tests. */
  readonly pin?: typeof pinResolved;
}

/**
 * Returns a gate that allows regular files and block devices below `folders`. Folders and files that do not exist allow
 * nothing.
 */
export async function openGate(folders: readonly string[], options: GateOptions = {}): Promise<Gate> {
  const { files = [], moreFolders = noFolders, pin = pinResolved } = options;
  const roots = await resolveAll(folders);
  const exact = new Set(await resolveAll(files));
  let moreRoots: Promise<readonly string[]> | undefined;

  async function isAllowed(real: string): Promise<boolean> {
    const isBelow = (root: string): boolean => isWithin(root, real);
    if (exact.has(real) || roots.some(isBelow)) return true;
    return (await (moreRoots ??= moreFolders().then(resolveAll))).some(isBelow);
  }

  return {
    async open(path) {
      // Node refuses such a path with a TypeError, and an image may name one.
      if (path.includes("\0"))
        throw new MissingError({ file: path, thing: "no file has a name with a zero byte" });
      const real = await realpath(path).catch((error: unknown) => {
        throw fromHost(error, path);
      });
      if (!(await isAllowed(real))) {
        throw new DeniedError({
          file: path,
          thing: "this file is named by an image but lies outside the image's folders",
          hint: `allow it with --allow-dir ${JSON.stringify(dirname(real))}`,
        });
      }
      // `real` has no symbolic links; pinning fails if that has changed.
      return openPinned(await pin(real, path), real, path);
    },
  };
}

const noFolders = (): Promise<readonly string[]> => Promise.resolve([]);

/** Returns `paths` with every symbolic link followed, without those that the host cannot resolve. */
export async function resolveAll(paths: readonly string[]): Promise<string[]> {
  const resolved = await Promise.all(paths.map((path) => realpath(path).catch(whenHostFails(undefined))));
  return resolved.filter((path) => path !== undefined);
}

/**
 * Returns the path of an open file, without symbolic links; undefined if it is unknown. Linux tells the path of a
 * descriptor; elsewhere, the location must still lead to the file that is open.
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

/** Returns whether `path` is `folder` or lies below it. Both are without symbolic links. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

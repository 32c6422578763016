/** Finds the files of media that a settings file registers. */
import { unlessHostFails } from "../../errors.js";
import { statSync } from "node:fs";
import { isAbsolute, join, resolve, win32 } from "node:path";
import type { Medium } from "../machine.js";
import type { MediumEntry } from "./media.js";

/** VirtualBox's default folder for differencing images, in the machine's folder. */
const SNAPSHOT_FOLDER = "Snapshots";

/** Yields the paths that `location` in settings of `folder` may mean, the likeliest first. */
export function* placesOf(location: string, folder: string): Generator<string> {
  if (location.includes("\0")) return;
  if (isAbsolute(location) || !win32.isAbsolute(location)) yield resolve(folder, location);
  yield resolve(folder, location.replaceAll("\\", "/"));
  // The images of a machine that was moved, or that comes from Windows, are in its own folders under the same names.
  const name = win32.basename(location); // it accepts both kinds of slash
  yield join(folder, name);
  yield join(folder, SNAPSHOT_FOLDER, name);
}

/** Returns `entries` of the settings in `folder` with the paths of their files. */
export function locateMedia(entries: readonly MediumEntry[], folder: string): Medium[] {
  const prefix = folder.endsWith("/") ? folder : `${folder}/`;
  return entries.map((entry) => {
    const usual = PLAIN.test(entry.location) ? fileAt(prefix + entry.location) : undefined;
    const found = usual ?? find(entry.location, folder);
    const children = locateMedia(entry.children, folder);
    return found === undefined ? { ...entry, children } : { ...entry, children, ...found };
  });
}

/** Locations that VirtualBox writes for images in the machine's own folder: they need not be resolved. */
const PLAIN = /^(?:Snapshots\/)?[\w{][^/\\\0]*$/;

interface Found {
  readonly path: string;
  readonly fileSize?: number;
}

function find(location: string, folder: string): Found | undefined {
  for (const path of placesOf(location, folder)) {
    const found = fileAt(path);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Synchronous, since listing machines calls it for thousands of images: promises take ten times as long. */
function fileAt(path: string): Found | undefined {
  // A file that cannot be accessed counts as missing.
  const stats = unlessHostFails(() => statSync(path, ABSENT_IS_UNDEFINED), undefined);
  if (stats?.isFile() === true) return { path, fileSize: stats.size };
  return stats?.isBlockDevice() === true ? { path } : undefined;
}

const ABSENT_IS_UNDEFINED = { throwIfNoEntry: false } as const;

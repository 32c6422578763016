/** Where a medium lies that a settings file registers. */
import { unlessHostFails } from "../../errors.js";
import { statSync } from "node:fs";
import { isAbsolute, join, resolve, win32 } from "node:path";
import type { Medium } from "../machine.js";
import type { MediumEntry } from "./media.js";

/** VirtualBox's usual name of the folder for differencing images, below the machine's. */
const SNAPSHOT_FOLDER = "Snapshots";

/** The places where `location` may be, of the settings in `folder`, the likeliest first. */
export function* placesOf(location: string, folder: string): Generator<string> {
  if (location.includes("\0")) return;
  if (isAbsolute(location) || !win32.isAbsolute(location)) yield resolve(folder, location);
  yield resolve(folder, location.replaceAll("\\", "/"));
  // A machine that was moved, or that comes from Windows, has its images still by the same name in its own folders.
  const name = win32.basename(location); // it takes both kinds of slash
  yield join(folder, name);
  yield join(folder, SNAPSHOT_FOLDER, name);
}

/** `entries`, of the settings in `folder`, with where they lie. */
export function locateMedia(entries: readonly MediumEntry[], folder: string): Medium[] {
  const prefix = folder.endsWith("/") ? folder : `${folder}/`;
  return entries.map((entry) => {
    const usual = PLAIN.test(entry.location) ? fileAt(prefix + entry.location) : undefined;
    const found = usual ?? find(entry.location, folder);
    const children = locateMedia(entry.children, folder);
    return found === undefined ? { ...entry, children } : { ...entry, children, ...found };
  });
}

/** What a running VirtualBox writes of a machine's own images: nothing in it needs to be resolved. */
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

/** Asked of thousands of images when machines are listed: a call at a time takes a tenth of what promises do. */
function fileAt(path: string): Found | undefined {
  // A file that we may not look at is of no more use than none.
  const stats = unlessHostFails(() => statSync(path, ABSENT_IS_UNDEFINED), undefined);
  if (stats?.isFile() === true) return { path, fileSize: stats.size };
  return stats?.isBlockDevice() === true ? { path } : undefined;
}

const ABSENT_IS_UNDEFINED = { throwIfNoEntry: false } as const;

/** Finds the machine of an image: one whose settings lie near it, or one that the user has registered. */
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DiskError, whenHostFails } from "../../errors.js";
import type { SoughtImage } from "../hypervisor.js";
import type { Medium } from "../machine.js";
import { loadGlobalSettings } from "./global.js";
import { loadSettings, loadXml, type LoadedSettings } from "./load.js";
import { placesOf } from "./locate.js";
import { withDescendants } from "../descendants.js";
import { unregistered } from "./machine.js";
import { parseSettings, type MachineSettings } from "./settings.js";

export interface Owners {
  readonly machines: readonly LoadedSettings[];
  /** From the registry that all machines shared before VirtualBox 4.0: the media that have the same base as the image. */
  readonly media: readonly Medium[];
  /** Settings files that could not be read. */
  readonly warnings: readonly string[];
}

/** Settings files that are read in one folder. Usually there is one; users may keep copies. */
const FILES_LIMIT = 8;

/** Settings files that are read in parallel. */
export const FILES_AT_ONCE = 16;

/**
 * Returns the machines of `image`: those whose settings lie in the image's folder or in the one above and register its path or
 * its UUID; if there are none, the user's registered machines that register its path. A UUID is not enough for
 * those: an image from elsewhere may contain any UUID, and would be connected with the user's own images.
 */
export async function ownersOf(image: SoughtImage): Promise<Owners> {
  const near = await nearbySettings(image.path);
  const machines: LoadedSettings[] = [];
  for (const loaded of near.loaded) if (await registers(loaded, image, true)) machines.push(loaded);
  if (machines.length > 0) return { machines, media: [], warnings: near.warnings };
  const { machines: registered, media } = await registeredOwners(image);
  return { machines: registered, media, warnings: near.warnings };
}

async function nearbySettings(path: string): Promise<{ loaded: LoadedSettings[]; warnings: string[] }> {
  const loaded: LoadedSettings[] = [];
  const warnings: string[] = [];
  for (const folder of new Set([dirname(path), dirname(dirname(path))])) {
    for (const file of (await settingsFiles(folder)).slice(0, FILES_LIMIT)) {
      try {
        loaded.push(loadSettings(file));
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        warnings.push(`${error.message}; it is ignored`);
      }
    }
  }
  return { loaded, warnings };
}

/** Returns the settings files in `folder`, also those of which only the previous version is left. */
export async function settingsFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(whenHostFails<string[]>([]));
  const own = names.flatMap((name) => /^(.+\.vbox)(?:-prev)?$/i.exec(name)?.[1] ?? []);
  return [...new Set(own)].sort().map((name) => join(folder, name));
}

async function registers(
  { file, settings }: LoadedSettings,
  { path, uuid }: SoughtImage,
  isUuidEnough: boolean,
): Promise<boolean> {
  const media = withDescendants(settings.media);
  if (isUuidEnough && media.some((medium) => medium.uuid === uuid)) return true;
  for (const { location } of media) {
    if ((await existingFiles(location, dirname(file))).includes(path)) return true;
  }
  return false;
}

async function registeredOwners(image: SoughtImage): Promise<Pick<Owners, "machines" | "media">> {
  const { machines, media } = loadGlobalSettings();
  const shared = media.filter((base) => withDescendants([base]).some(({ path }) => path === image.path));
  const sharedUuids = withDescendants(shared).map(({ uuid }) => uuid);
  const marks = [
    ...sharedUuids,
    escape(basename(image.path)),
    ...(image.uuid === undefined ? [] : [image.uuid]),
  ];
  // Parsing takes long, so only files that mention the image are parsed.
  const parseIfMentioned = (text: string, file: string): MachineSettings | undefined =>
    marks.some((mark) => text.includes(mark)) ? parseSettings(text, file) : undefined;
  const found: LoadedSettings[] = [];
  for (const { file } of machines) {
    const loaded = unlessUnreadable(() => loadXml(file, parseIfMentioned));
    if (loaded?.value === undefined) continue;
    const owner = { file, settings: loaded.value, warnings: loaded.warnings };
    const isOwner =
      (await registers(owner, image, false)) ||
      unregistered(owner.settings).some((uuid) => sharedUuids.includes(uuid));
    if (isOwner) found.push(owner);
  }
  return { machines: found, media: shared };
}

function unlessUnreadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}

/** Escapes `text` as in the value of an attribute. */
function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** Returns the existing files that `location` in settings of `folder` may mean, with symbolic links resolved. */
export async function existingFiles(location: string, folder: string): Promise<string[]> {
  const resolved = await Promise.all([...placesOf(location, folder)].map(resolveFile));
  return [...new Set(resolved)].filter((path) => path !== undefined);
}

async function resolveFile(path: string): Promise<string | undefined> {
  const stats = await stat(path).catch(whenHostFails(undefined));
  return stats === undefined || stats.isDirectory()
    ? undefined
    : realpath(path).catch(whenHostFails(undefined));
}

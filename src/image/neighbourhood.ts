/**
 * The files among which a parent is searched for, in this order: those that are registered with its UUID or have it in their
 * name; other images; files that are not named like images.
 */
import { opendir, realpath } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { isErrnoException, whenHostFails } from "../errors.js";
import type { RegisteredImage } from "./registry.js";

/** VirtualBox's folder for differencing images, below the machine's. */
export const isSnapshotFolder = (path: string): boolean => /^snapshots$/i.test(basename(path));

/** The extensions of image files. Files without one of them are looked at last. */
export const EXTENSIONS: ReadonlySet<string> = new Set(
  ".vdi .vmdk .vhd .vud .vhdx .avhd .avhdx .qcow .qcow2 .qed .hdd .hds .img .raw .dd .bin .iso .dmg".split(
    " ",
  ),
);

/** Files not named like images that are looked at: a chain may lie in a folder with very many other files. */
const OTHERS_LIMIT = 1000;

/** Files named like images that are looked at: 250 snapshots of each of a hundred disks. */
const IMAGES_LIMIT = 25_000;

/** Names that are read of one folder, so that a very large folder does not delay the opening of a disk without limit. */
const NAMES_LIMIT = 200_000;

/** Names that are read from the host at a time. */
const NAMES_AT_ONCE = 1024;

export interface Neighbourhood {
  /** The folders that were read, resolved. */
  readonly folders: ReadonlySet<string>;
  /** The folders that were not read, since they lie outside the allowed ones. */
  readonly outside: ReadonlySet<string>;
  /** The number of files that were left out because there are too many. */
  readonly omittedCount: number;
  /** Adds the files in `folder`, and in its `Snapshots`. Each folder is read once. */
  addFolder(folder: string): Promise<void>;
  /** Takes up to `count` files that are named or registered as the image `uuid`. No file is taken twice. */
  takeNamed(uuid: string, count: number): string[];
  /** Takes up to `count` files that are registered, or named like images. */
  takeImages(count: number): string[];
  /** Takes up to `count` of the other files. */
  takeOthers(count: number): string[];
}

/**
 * @param registered the images that the machine has registered; they are looked at before all others.
 * @param isInside whether a resolved path lies within the allowed folders.
 */
export function neighbourhood(
  registered: readonly RegisteredImage[],
  isInside: (path: string) => boolean,
): Neighbourhood {
  const images = new Set<string>();
  const others = new Set<string>();
  /** By each UUID that a file is named or registered with. */
  const byUuid = new Map<string, string[]>();
  const taken = new Set<string>();
  /** As they were passed to `addFolder`. */
  const added = new Set<string>();
  const folders = new Set<string>();
  const outside = new Set<string>();
  let omittedCount = 0;

  function addName(path: string, uuid: string): void {
    const paths = byUuid.get(uuid);
    if (paths === undefined) byUuid.set(uuid, [path]);
    else paths.push(path);
  }

  function add(path: string): void {
    if (taken.has(path) || images.has(path)) return;
    const isImage = EXTENSIONS.has(extname(path).toLowerCase());
    const uuids = basename(path).toLowerCase().match(UUID) ?? [];
    for (const uuid of uuids) addName(path, uuid);
    if (isImage ? images.size < IMAGES_LIMIT : others.size < OTHERS_LIMIT)
      (isImage ? images : others).add(path);
    else if (uuids.length === 0) omittedCount++;
  }

  async function addFolder(folder: string, isNested = false): Promise<void> {
    if (added.has(folder)) return;
    added.add(folder);
    const real = await realpath(folder).catch(whenHostFails(undefined));
    if (real === undefined || folders.has(real)) return;
    if (!isInside(real)) {
      outside.add(real);
      return;
    }
    folders.add(real);
    const nested: string[] = [];
    let count = 0;
    for await (const entry of entriesIn(real)) {
      if (++count > NAMES_LIMIT) {
        omittedCount++;
        break;
      }
      const path = join(real, entry.name);
      if (entry.isDirectory()) {
        if (!isNested && isSnapshotFolder(path)) nested.push(path);
      } else if (entry.isFile() || entry.isSymbolicLink() || entry.isBlockDevice()) {
        add(path);
      }
    }
    for (const path of nested) await addFolder(path, true);
  }

  function take(from: Iterable<string>, count: number): string[] {
    const paths: string[] = [];
    for (const path of from) {
      if (paths.length === count) break;
      if (taken.has(path)) continue;
      paths.push(path);
      taken.add(path);
    }
    for (const path of paths) {
      images.delete(path);
      others.delete(path);
    }
    return paths;
  }

  for (const { path, uuid } of registered) {
    images.add(path);
    addName(path, uuid);
  }
  return {
    folders,
    outside,
    get omittedCount() {
      return omittedCount;
    },
    addFolder,
    takeNamed: (uuid, count) => take(byUuid.get(uuid) ?? [], count),
    takeImages: (count) => take(images, count),
    takeOthers: (count) => take(others, count),
  };
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** Returns the entries of `folder`; none if it cannot be read. */
async function* entriesIn(folder: string) {
  try {
    yield* await opendir(folder, { bufferSize: NAMES_AT_ONCE });
  } catch (error) {
    if (!isErrnoException(error)) throw error;
  }
}

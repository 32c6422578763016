/**
 * The search for parents, over the images of one chain: every file is looked at once, however deep the chain is.
 *
 * Looked at are: what the registry has under the UUID and files whose name has it; then what is registered, and
 * what is called like an image, in the child's folder, the folder above and the `Snapshots` of both, the
 * machine's folders and those that the user allows; last the other files there. The first that is the very state
 * that the child was made on ends the search.
 */
import { readdir, realpath } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { CorruptError, DeniedError, DiskError, MissingError, withContext } from "../errors.js";
import { isWithin, type Gate } from "../storage/gate.js";
import { openLayer } from "./formats.js";
import type { Identity, ImageFormat, Layer, ParentReference } from "./image.js";
import type { RegisteredImage } from "./registry.js";

export interface ParentSearch {
  /**
   * Opens the image that `child` says is its parent.
   * @throws {MissingError} where there is none, or none among several can be told to be it.
   * @throws {DeniedError} where it may be a file that the gate does not let through.
   */
  open(child: Layer): Promise<Layer>;
}

export interface Searched {
  readonly gate: Gate;
  /** The folders that the gate lets through. */
  readonly roots: readonly string[];
  readonly images: readonly RegisteredImage[];
  readonly formats: readonly ImageFormat[];
}

/** VirtualBox's folder for differencing images, below the machine's. */
export const isSnapshotFolder = (path: string): boolean => /^snapshots$/i.test(basename(path));

/** What images are called. Others are looked at too, but last. */
export const EXTENSIONS: ReadonlySet<string> = new Set(
  ".vdi .vmdk .vhd .vhdx .avhd .avhdx .qcow .qcow2 .qed .hdd .hds .img .raw .dd .bin .iso .dmg".split(" "),
);

/** Files not called like images that are looked at: a chain may lie in a folder of very many other things. */
const OTHERS_LIMIT = 1000;

/** Files called like images that are looked at: 250 snapshots of each of a hundred disks. */
const IMAGES_LIMIT = 25_000;

/** Files that are looked at side by side: as many as Node has threads for it. */
const SIDE_BY_SIDE = 4;

/** Files that a complaint lists. */
const LISTED_LIMIT = 5;

interface Candidate {
  readonly path: string;
  readonly identity: Identity;
}

/** @param searched what may be opened, and where. */
export async function parentSearch({ gate, roots, images, formats }: Searched): Promise<ParentSearch> {
  const resolved = await Promise.all(roots.map((root) => realpath(root).catch(() => undefined)));
  const isInside = (path: string): boolean =>
    resolved.some((root) => root !== undefined && isWithin(root, path));

  const registered = new Map(images.map(({ path, uuid }) => [path, uuid]));
  /** Not looked at yet, in order. */
  const likely = new Set(registered.keys());
  const others = new Set<string>();
  const asked = new Set<string>();
  const folders = new Set<string>();
  const outside = new Set<string>();
  const lookedAt = new Set<string>();
  /** By UUID, then by path with every symbolic link followed. */
  const candidates = new Map<string, Map<string, Candidate>>();
  const candidatesFor = (uuid: string): Candidate[] => [...(candidates.get(uuid)?.values() ?? [])];
  const failures = new Map<string, DiskError>();

  async function addFolder(folder: string, isNested = false): Promise<void> {
    if (asked.has(folder)) return;
    asked.add(folder);
    const real = await realpath(folder).catch(() => undefined);
    if (real === undefined || folders.has(real)) return;
    if (!isInside(real)) {
      outside.add(real);
      return;
    }
    folders.add(real);
    const entries = await readdir(real, { withFileTypes: true }).catch(() => []);
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(real, entry.name);
      if (entry.isDirectory()) {
        if (!isNested && isSnapshotFolder(path)) await addFolder(path, true);
      } else if (!lookedAt.has(path) && (entry.isFile() || entry.isSymbolicLink() || entry.isBlockDevice())) {
        const [queue, limit] = EXTENSIONS.has(extname(path).toLowerCase())
          ? [likely, IMAGES_LIMIT]
          : [others, OTHERS_LIMIT];
        if (queue.size < limit) queue.add(path);
      }
    }
  }

  const isNamed = (path: string, uuid: string): boolean =>
    registered.get(path) === uuid || basename(path).toLowerCase().includes(uuid);

  function* queue(uuid: string): Generator<string> {
    for (const path of [...likely, ...others]) if (isNamed(path, uuid)) yield path;
    yield* likely;
    yield* others;
  }

  /** What `path` holds, without its parents. A file that has no identity has the one that it is registered with. */
  async function openCandidate(path: string): Promise<{ layer: Layer; identity: Identity | undefined }> {
    const storage = await gate.open(path);
    try {
      const layer = await openLayer(storage, formats);
      const uuid = registered.get(path);
      const identity = layer.identity ?? (uuid === undefined ? undefined : { uuid });
      if (layer.identity === undefined && uuid !== undefined && !isInside(storage.path)) {
        // A machine's file comes with the image, and is no more to be trusted: it must not show any file at all.
        throw new DeniedError({
          file: path,
          thing:
            "this file is registered as an image, but nothing in it says so, and it lies outside the folders",
          hint: `allow it with --allow-dir ${JSON.stringify(dirname(storage.path))}`,
        });
      }
      return { layer, identity };
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  /** @returns the layer, left open, where it is the one that is wanted. */
  async function look(path: string, isWanted: (identity: Identity) => boolean): Promise<Layer | undefined> {
    const isLikely = likely.delete(path);
    others.delete(path);
    lookedAt.add(path);
    try {
      const { layer, identity } = await openCandidate(path);
      if (identity !== undefined) {
        const known = candidates.get(identity.uuid) ?? new Map<string, Candidate>();
        const realPath = layer.storage.path;
        if (!known.has(realPath)) candidates.set(identity.uuid, known.set(realPath, { path, identity }));
        if (isWanted(identity)) return layer;
      }
      await layer.close();
      return undefined;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (isLikely) failures.set(path, error);
      return undefined;
    }
  }

  /** The layer, or the path that it is at. */
  async function find(wanted: ParentReference, child: Layer): Promise<Layer | string> {
    const isExact = (identity: Identity): boolean =>
      identity.uuid === wanted.uuid &&
      wanted.modification !== undefined &&
      identity.modification === wanted.modification;
    const known = candidatesFor(wanted.uuid).find(({ identity }) => isExact(identity));
    if (known !== undefined) return known.path;
    for (;;) {
      const paths = firstOf(queue(wanted.uuid), SIDE_BY_SIDE);
      if (paths.length === 0) break;
      const looked = await Promise.all(paths.map((path) => look(path, isExact)));
      const [exact, ...copies] = looked.filter((layer) => layer !== undefined);
      await Promise.all(copies.map((layer) => layer.close()));
      if (exact !== undefined) return exact;
    }
    const [first, ...rest] = candidatesFor(wanted.uuid);
    if (first === undefined) throw missing(wanted, child);
    // Copies of one state are as good as each other.
    if (rest.every(({ identity }) => identity.modification === first.identity.modification))
      return first.path;
    throw new MissingError({
      file: child.storage.name,
      thing: `which image is its parent {${wanted.uuid}} cannot be told: ${listed([first, ...rest].map(({ path }) => path))} have this UUID, and none is as it was when this image was made`,
      hint: "move all but the right one to another folder",
    });
  }

  function missing(wanted: ParentReference, child: Layer): unknown {
    const file = child.storage.name;
    const isDenied = (error: DiskError): boolean => error instanceof DeniedError && error.cause === undefined;
    for (const [path, error] of failures) {
      if (isNamed(path, wanted.uuid)) return withContext(`parent of ${file}`, error);
    }
    for (const [, error] of failures) {
      if (isDenied(error)) return withContext(`perhaps the parent of ${file}, {${wanted.uuid}}`, error);
    }
    const unreadable = [...failures.values()].map((error) => error.message);
    const places = [...folders, ...[...outside].map((folder) => `not in ${folder}, which lies outside`)];
    return new MissingError({
      file,
      thing:
        `its parent, the image {${wanted.uuid}}, was not found (files looked at: ${lookedAt.size}, in ${places.join(", ")}` +
        (unreadable.length === 0 ? ")" : `; could not be read: ${listed(unreadable)})`),
      hint: "copy it beside this image, or name its folder with --allow-dir DIR",
    });
  }

  return {
    async open(child) {
      const folder = dirname(child.storage.path);
      for (const place of [folder, dirname(folder), ...roots]) await addFolder(place);
      const wanted = child.parent!;
      const found = await find(wanted, child);
      if (typeof found === "object") return found;
      const { layer, identity } = await openCandidate(found);
      if (identity?.uuid === wanted.uuid) return layer;
      await layer.close();
      throw new CorruptError({ file: found, thing: "this image was replaced while it was being opened" });
    },
  };
}

/** The first `count` different values of `all`. */
function firstOf<T>(all: Iterable<T>, count: number): T[] {
  const first = new Set<T>();
  for (const value of all) {
    first.add(value);
    if (first.size === count) break;
  }
  return [...first];
}

function listed(texts: readonly string[]): string {
  const more = texts.length > LISTED_LIMIT ? [`and ${texts.length - LISTED_LIMIT} more`] : [];
  return [...texts.slice(0, LISTED_LIMIT), ...more].join("; ");
}

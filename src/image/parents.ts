/**
 * The search for parents, over the images of one chain: every file is looked at once, however deep the chain is.
 *
 * Looked at are: what the registry has under the UUID, and files that have it in their name; then what is registered, and
 * what is named like an image, in the child's folder, the folder above and the `Snapshots` of both, the machine's folders
 * and those that the user allows; last the other files there. The search does not end with the first image that fits,
 * since another may have the same UUIDs and other contents: copies.ts chooses between those.
 */
import { fstatSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { CorruptError, DeniedError, DiskError, MissingError, withContext } from "../errors.js";
import { isWithin, type Gate } from "../storage/gate.js";
import { compareFiles, prefer, reasonToPrefer, type Copy, type Preferences } from "./copies.js";
import { openLayer } from "./formats.js";
import type { Identity, ImageFormat, Layer, ParentReference } from "./image.js";
import { neighbourhood } from "./neighbourhood.js";
import type { RegisteredImage } from "./registry.js";

/** An image that was found; it is the caller's to close. */
export interface FoundParent {
  readonly layer: Layer;
  /** What the user should know of the choice. */
  readonly warnings: readonly string[];
}

export interface ParentSearch {
  /**
   * Opens the image that `child` says is its parent.
   * @throws {MissingError} where there is none, or none among several can be told to be it.
   * @throws {DeniedError} where it may be a file that the gate does not let through.
   */
  open(child: Layer): Promise<FoundParent>;
  /** Closes the images that were looked at and not taken; the search can go on. */
  release(): Promise<void>;
}

export interface Searched {
  readonly gate: Gate;
  /** The folders that the gate lets through. */
  readonly roots: readonly string[];
  readonly images: readonly RegisteredImage[];
  readonly formats: readonly ImageFormat[];
}

/** Images that are looked at for others with the same UUIDs, though the parent is found already. */
const SCANNED_LIMIT = 1000;

/** Images that stay open between being looked at and being taken for a parent: most of a chain's are. */
const KEPT_OPEN_LIMIT = 256;

/** Files that are looked at side by side: as many as Node has threads for it. */
const SIDE_BY_SIDE = 4;

/** Images that cannot be read of which the reason is kept, for a complaint. */
const FAILURES_LIMIT = 1000;

/** Files that a complaint lists. */
const LISTED_LIMIT = 5;

interface Candidate extends Copy {
  readonly identity: Identity;
}

/** @param searched what may be opened, and where. */
export async function parentSearch({ gate, roots, images, formats }: Searched): Promise<ParentSearch> {
  const resolved = await Promise.all(roots.map((root) => realpath(root).catch(() => undefined)));
  const isInside = (path: string): boolean =>
    resolved.some((root) => root !== undefined && isWithin(root, path));

  const registered = new Map(images.map(({ path, uuid }) => [path, uuid]));
  const files = neighbourhood(images, isInside);
  /** By UUID, then by path without symbolic links. */
  const candidates = new Map<string, Map<string, Candidate>>();
  const kept = new Map<Candidate, Layer>();
  const failures = new Map<string, DiskError>();
  let lookedAtCount = 0;
  let scannedCount = 0;

  /** Opens `path` without its parents. A file that has no identity has the one that it is registered with. */
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

  async function look(path: string, isLikely: boolean): Promise<void> {
    lookedAtCount++;
    try {
      const { layer, identity } = await openCandidate(path);
      const { storage } = layer;
      const known = candidates.get(identity?.uuid ?? "") ?? new Map<string, Candidate>();
      if (identity === undefined || known.has(storage.path)) {
        await layer.close();
        return;
      }
      const modified = fstatSync(storage.fd).mtimeMs;
      const candidate = { path, realPath: storage.path, size: storage.size, modified, identity };
      candidates.set(identity.uuid, known.set(storage.path, candidate));
      if (kept.size < KEPT_OPEN_LIMIT) kept.set(candidate, layer);
      else await layer.close();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (isLikely) failures.set(path, error);
    }
  }

  /** Looks at the files that `take` gives, until there are none, or until `isEnough`. */
  async function lookAtAll(
    take: (count: number) => string[],
    isEnough: () => boolean,
    isLikely = true,
  ): Promise<void> {
    while (!isEnough()) {
      const paths = take(SIDE_BY_SIDE);
      if (paths.length === 0) return;
      scannedCount += paths.length;
      await Promise.all(paths.map((path) => look(path, isLikely && failures.size < FAILURES_LIMIT)));
    }
  }

  async function find(
    wanted: ParentReference,
    child: Layer,
  ): Promise<{ found: Candidate; warnings: string[] }> {
    const { uuid, modification } = wanted;
    const all = (): Candidate[] => [...(candidates.get(uuid)?.values() ?? [])];
    const exact = (): Candidate[] =>
      all().filter(({ identity }) => modification !== undefined && identity.modification === modification);
    const isFound = (): boolean => exact().length > 0;
    await lookAtAll(
      (count) => files.takeNamed(uuid, count),
      () => false,
    );
    await lookAtAll(
      (count) => files.takeImages(count),
      () => scannedCount >= SCANNED_LIMIT,
    );
    await lookAtAll((count) => files.takeImages(count), isFound);
    await lookAtAll((count) => files.takeOthers(count), isFound, false);
    const copies = isFound() ? exact() : all();
    const [first, ...rest] = copies;
    if (first === undefined) throw missing(wanted, child);
    if (rest.some(({ identity }) => identity.modification !== first.identity.modification)) {
      throw ambiguous(wanted, child, copies, "and none is as it was when this image was made");
    }
    return rest.length === 0 ? { found: first, warnings: [] } : chooseAmong(copies, wanted, child);
  }

  /** Chooses among `copies`, which have the same UUIDs. */
  async function chooseAmong(
    copies: readonly Candidate[],
    { uuid }: ParentReference,
    child: Layer,
  ): Promise<{ found: Candidate; warnings: string[] }> {
    const places = images.filter((image) => image.uuid === uuid).map(({ path }) => path);
    const preferences: Preferences = { uuid, folder: dirname(child.storage.path), registered: places };
    const [found, ...rest] = prefer(copies, preferences) as [Candidate, ...Candidate[]];
    const unlike: Candidate[] = [];
    let isCertain = false;
    for (const copy of rest) {
      const likeness = await compare(found, copy);
      if (likeness === "same") continue;
      isCertain ||= likeness === "different";
      unlike.push(copy);
    }
    const [next] = unlike;
    if (next === undefined) return { found, warnings: [] };
    const reason = reasonToPrefer(found, next, preferences);
    if (reason === undefined) {
      throw ambiguous({ uuid }, child, copies, "their contents differ, and nothing tells which is right");
    }
    const others = listed(unlike.map(({ path }) => path));
    const differ = isCertain
      ? "have its UUIDs and other contents"
      : "have its UUIDs, and perhaps other contents";
    const warning = `${child.storage.name}: its parent is taken to be ${found.path}, since ${reason}; these ${differ}: ${others}`;
    return { found, warnings: [warning] };
  }

  async function compare(a: Candidate, b: Candidate): ReturnType<typeof compareFiles> {
    const opened: { close(): Promise<void> }[] = [];
    try {
      const first = await gate.open(a.path);
      opened.push(first);
      const second = await gate.open(b.path);
      opened.push(second);
      return await compareFiles(first, second);
    } catch (error) {
      if (error instanceof DiskError) return "unknown";
      throw error;
    } finally {
      for (const storage of opened) await storage.close();
    }
  }

  function ambiguous(
    { uuid }: ParentReference,
    child: Layer,
    copies: readonly Copy[],
    why: string,
  ): MissingError {
    const paths = listed(copies.map(({ path }) => path));
    return new MissingError({
      file: child.storage.name,
      thing: `which image is its parent {${uuid}} cannot be told: ${paths} have this UUID, ${why}`,
      hint: "move all but the right one to another folder",
    });
  }

  function missing(wanted: ParentReference, child: Layer): unknown {
    const file = child.storage.name;
    const isNamed = (path: string): boolean =>
      registered.get(path) === wanted.uuid || basename(path).toLowerCase().includes(wanted.uuid);
    const isDenied = (error: DiskError): boolean => error instanceof DeniedError && error.cause === undefined;
    for (const [path, error] of failures) {
      if (isNamed(path)) return withContext(`parent of ${file}`, error);
    }
    for (const [, error] of failures) {
      if (isDenied(error)) return withContext(`perhaps the parent of ${file}, {${wanted.uuid}}`, error);
    }
    const unreadable = [...failures.values()].map((error) => error.message);
    const places = [
      ...files.folders,
      ...[...files.outside].map((folder) => `not in ${folder}, which lies outside`),
      ...(files.omittedCount > 0 ? [`without ${files.omittedCount} or more that are too many`] : []),
    ];
    return new MissingError({
      file,
      thing:
        `its parent, the image {${wanted.uuid}}, was not found (files looked at: ${lookedAtCount}, in ${places.join(", ")}` +
        (unreadable.length === 0 ? ")" : `; could not be read: ${listed(unreadable)})`),
      hint: "copy it beside this image, or name its folder with --allow-dir DIR",
    });
  }

  return {
    async open(child) {
      const folder = dirname(child.storage.path);
      for (const place of [folder, dirname(folder), ...roots]) await files.addFolder(place);
      const wanted = child.parent!;
      const { found, warnings } = await find(wanted, child);
      const open = kept.get(found);
      kept.delete(found);
      if (open !== undefined) return { layer: open, warnings };
      const { layer, identity } = await openCandidate(found.path);
      if (identity?.uuid === wanted.uuid) return { layer, warnings };
      await layer.close();
      throw new CorruptError({
        file: found.path,
        thing: "this image was replaced while it was being opened",
      });
    },
    async release() {
      const layers = [...kept.values()];
      kept.clear();
      await Promise.all(layers.map((layer) => layer.close()));
    },
  };
}

function listed(texts: readonly string[]): string {
  const more = texts.length > LISTED_LIMIT ? [`and ${texts.length - LISTED_LIMIT} more`] : [];
  return [...texts.slice(0, LISTED_LIMIT), ...more].join("; ");
}

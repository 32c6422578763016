/**
 * The search for the parents of images.
 *
 * The paths that the child notes come first. If it notes its parent's UUID, these files are looked at next: those that
 * are registered with the UUID, or have it in their name; then the other registered images, and files that are named like
 * images, in the child's folder, the folder above and the `Snapshots` of both, the machine's folders and those that the
 * user allows; last the other files there. The search does not end with the first image that matches, because another
 * may have the same UUIDs and other contents: copies.ts chooses between those.
 */
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { DiskError, whenHostFails } from "../errors.js";
import { closeAll, closeOnError } from "../storage/closing.js";
import { isWithin, type Gate } from "../storage/gate.js";
import { openCandidates, replaced, type Candidate } from "./candidates.js";
import { compareImages, prefer, reasonToPrefer, type Likeness, type Preferences } from "./copies.js";
import type { OpenedImage } from "./formats.js";
import { placesOf } from "./hints.js";
import type { Image, ImageFormat, Layer, ParentReference } from "./image.js";
import { neighbourhood } from "./neighbourhood.js";
import { ambiguousParent, changedParent, listed, missingParent } from "./parent-messages.js";
import type { RegisteredImage } from "./registry.js";

/** A parent that was found; its image is the caller's to close. */
export interface FoundParent extends OpenedImage {
  /** What the user should know about the choice. */
  readonly warnings: readonly string[];
}

export interface ParentSearch {
  /**
   * Opens the image that `child` notes as its parent.
   * @throws {MissingError} if there is none, or if several may be it and nothing tells which one is.
   * @throws {DeniedError} if the gate refuses a file that may be it.
   */
  open(child: Layer): Promise<FoundParent>;
  /** Closes the images that were looked at and not taken. The search can be used further. */
  release(): Promise<void>;
}

export interface SearchOptions {
  /** Opens the images that are looked at. */
  readonly gate: Gate;
  /** The folders that the gate allows. */
  readonly roots: readonly string[];
  readonly images: readonly RegisteredImage[];
  readonly formats: readonly ImageFormat[];
}

/** Files that are looked at before the search may end: others may have the same UUIDs as the first that matches. */
const SCANNED_LIMIT = 1000;

/** Files that are looked at at the same time: as many as Node has threads for them. */
const PARALLEL_FILES = 4;

/** A chosen candidate. */
interface Choice {
  readonly found: Candidate;
  readonly warnings: readonly string[];
}

export async function parentSearch({ gate, roots, images, formats }: SearchOptions): Promise<ParentSearch> {
  const resolved = await Promise.all(roots.map((root) => realpath(root).catch(whenHostFails(undefined))));
  const isInside = (path: string): boolean =>
    resolved.some((root) => root !== undefined && isWithin(root, path));

  const registered = new Map(images.map(({ path, uuid }) => [path, uuid]));
  const files = neighbourhood(images, isInside);
  const candidates = openCandidates({ gate, roots, formats, registered, isInside });
  let scannedCount = 0;

  /** Looks at the files that `take` returns, until it returns none or `isEnough` returns true. */
  async function lookAtAll(
    take: (count: number) => string[],
    isEnough: () => boolean,
    isLikely = true,
  ): Promise<void> {
    while (!isEnough()) {
      const paths = take(PARALLEL_FILES);
      if (paths.length === 0) return;
      scannedCount += paths.length;
      await Promise.all(paths.map((path) => candidates.look(path, { isLikely })));
    }
  }

  async function find(wanted: ParentReference, child: Layer): Promise<Choice> {
    const hinted = await followHints(wanted, child);
    const uuid = wanted.identity?.uuid;
    const mayBe = (candidate: Candidate): boolean =>
      (wanted.format ?? candidate.format) === candidate.format && wanted.matches(candidate) !== "different";
    const known = (): Candidate[] =>
      [...new Set([...hinted, ...(uuid === undefined ? [] : candidates.withUuid(uuid))])].filter(mayBe);
    const exact = (): Candidate[] => known().filter((candidate) => wanted.matches(candidate) === "same");
    // An image that has the UUID, and lies where the child says, is as good as one that is proved to be unchanged.
    const isFound = (): boolean => hinted.some(mayBe) || exact().length > 0;
    if (uuid !== undefined) await lookNearby(uuid, isFound);
    const copies = exact().length > 0 ? exact() : known();
    const [first, ...rest] = copies;
    if (first === undefined) throw missingParent(child, { candidates, files, registered, hinted });
    // Without a UUID, the order of the child's paths is the only reason to prefer one.
    if (rest.length === 0 || uuid === undefined) return { found: first, warnings: [] };
    if (rest.some((copy) => copy.identity?.modification !== first.identity?.modification))
      throw ambiguousParent(child, copies, "and none is as it was when this image was made");
    const noted = hinted.map(({ path }) => path);
    return chooseAmong(copies, uuid, child, noted);
  }

  /** Returns the images at the paths that the child notes. */
  async function followHints({ hints, format }: ParentReference, child: Layer): Promise<Candidate[]> {
    const folder = folderOf(child);
    const found: Candidate[] = [];
    for (const path of new Set(hints.flatMap((hint) => placesOf(hint, folder)))) {
      const candidate = await candidates.look(path, { format });
      if (candidate !== undefined && !found.includes(candidate)) found.push(candidate);
    }
    return found;
  }

  /**
   * Looks at all files that are named or registered with `uuid`, and at others until SCANNED_LIMIT files have been looked
   * at; then goes on until `isFound` returns true.
   */
  async function lookNearby(uuid: string, isFound: () => boolean): Promise<void> {
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
  }

  /** Chooses among `copies`, which have the same UUIDs. */
  async function chooseAmong(
    copies: readonly Candidate[],
    uuid: string,
    child: Layer,
    noted: readonly string[],
  ): Promise<Choice> {
    const places = images.filter((image) => image.uuid === uuid).map(({ path }) => path);
    const preferences: Preferences = { uuid, folder: folderOf(child), registered: places, noted };
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
    if (reason === undefined)
      throw ambiguousParent(child, copies, "their contents differ, and nothing tells which is right");
    const others = listed(unlike.map(({ path }) => path));
    const differ = isCertain
      ? "have its UUIDs and other contents"
      : "have its UUIDs, and perhaps other contents";
    const warning = `${nameOf(child)}: its parent is taken to be ${found.path}, since ${reason}; these ${differ}: ${others}`;
    return { found, warnings: [warning] };
  }

  async function compare(a: Candidate, b: Candidate): Promise<Likeness> {
    const opened: Image[] = [];
    try {
      for (const copy of [a, b]) opened.push((await candidates.take(copy)).image);
      return await compareImages(opened[0]!, opened[1]!);
    } catch (error) {
      if (error instanceof DiskError) return "unknown";
      throw error;
    } finally {
      await closeAll(opened);
    }
  }

  return {
    async open(child) {
      const folder = folderOf(child);
      for (const place of [folder, dirname(folder), ...roots]) await files.addFolder(place);
      const wanted = child.parent!;
      const { found, warnings } = await find(wanted, child);
      const { image, isProbed, facts } = await candidates.take(found);
      return closeOnError(image, () => {
        const match = wanted.matches(facts);
        if (match === "different") throw replaced(found);
        const more = match === "changed" ? [changedParent(child, found.path, facts)] : [];
        return { image, isProbed, warnings: [...warnings, ...more] };
      });
    },
    release: () => candidates.release(),
  };
}

function nameOf({ image }: Layer): string {
  return image.files[0].name;
}

function folderOf({ image }: Layer): string {
  return dirname(image.files[0].location);
}

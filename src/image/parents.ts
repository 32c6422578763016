/**
 * The search for parents, over the images of one chain.
 *
 * The child's own hints (paths) come first. Where it knows its parent's identity, these are looked at next: files that
 * are registered under the UUID, or have it in their name; then what is registered, and what is named like an image, in
 * the child's folder, the folder above and the `Snapshots` of both, the machine's folders and those that the user allows;
 * last the other files there. The search does not end with the first image that fits, since another may have the same
 * UUIDs and other contents: copies.ts chooses between those.
 */
import { realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { DeniedError, DiskError, MissingError, withContext, whenHostFails } from "../errors.js";
import { isWithin, type Gate } from "../storage/gate.js";
import { openCandidates, type Candidate } from "./candidates.js";
import { compareFiles, prefer, reasonToPrefer, type Preferences } from "./copies.js";
import { placesOf } from "./hints.js";
import type { Identity, Image, ImageFormat, Layer, ParentReference } from "./image.js";
import { neighbourhood } from "./neighbourhood.js";
import type { RegisteredImage } from "./registry.js";

/** An image that was found; it is the caller's to close. */
export interface FoundParent {
  readonly image: Image;
  /** What the user should know of the choice. */
  readonly warnings: readonly string[];
}

export interface ParentSearch {
  /**
   * Opens the image that `child` says is its parent.
   * @throws {MissingError} where there is none, or where several may be it and nothing tells which.
   * @throws {DeniedError} where it may be a file that the gate refuses.
   */
  open(child: Layer): Promise<FoundParent>;
  /** Closes the images that were looked at and not taken; the search can go on. */
  release(): Promise<void>;
}

export interface SearchOptions {
  readonly gate: Gate;
  /** The folders that the gate lets through. */
  readonly roots: readonly string[];
  readonly images: readonly RegisteredImage[];
  readonly formats: readonly ImageFormat[];
}

/** Images that are looked at for others with the same UUIDs, though the parent is found already. */
const SCANNED_LIMIT = 1000;

/** Files that are looked at at the same time: as many as Node has threads for them. */
const PARALLEL_FILES = 4;

/** Files that an error message lists. */
const LISTED_LIMIT = 5;

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
  const candidates = openCandidates(gate, formats, registered, isInside);
  let scannedCount = 0;

  /** Looks at the files that `take` returns, until there are none, or until `isEnough`. */
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
    const { identity } = wanted;
    const known = (): Candidate[] =>
      [...new Set([...hinted, ...(identity === undefined ? [] : candidates.withUuid(identity.uuid))])].filter(
        (candidate) => wanted.matches(candidate) !== "different",
      );
    const exact = (): Candidate[] => known().filter((candidate) => wanted.matches(candidate) === "same");
    const isFound = (): boolean => exact().length > 0;
    if (identity !== undefined) await searchFor(identity, isFound);
    const copies = isFound() ? exact() : known();
    const [first, ...rest] = copies;
    if (first === undefined) throw missing(wanted, child);
    // Without an identity, the order of the hints is the only reason to prefer one.
    if (rest.length === 0 || identity === undefined) return { found: first, warnings: [] };
    if (rest.some((copy) => copy.identity?.modification !== first.identity?.modification))
      throw ambiguous(identity, child, copies, "and none is as it was when this image was made");
    return chooseAmong(copies, identity, child);
  }

  /** The images at the places that the child's hints name. */
  async function followHints({ hints, format }: ParentReference, child: Layer): Promise<Candidate[]> {
    const folder = folderOf(child);
    const found: Candidate[] = [];
    for (const path of new Set(hints.flatMap((hint) => placesOf(hint, folder)))) {
      const candidate = await candidates.look(path, { format });
      if (candidate !== undefined && !found.includes(candidate)) found.push(candidate);
    }
    return found;
  }

  /** Looks at files until `isFound`, and at SCANNED_LIMIT of them at least. */
  async function searchFor({ uuid }: Identity, isFound: () => boolean): Promise<void> {
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
    { uuid }: Identity,
    child: Layer,
  ): Promise<Choice> {
    const places = images.filter((image) => image.uuid === uuid).map(({ path }) => path);
    const preferences: Preferences = { uuid, folder: folderOf(child), registered: places };
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
      throw ambiguous({ uuid }, child, copies, "their contents differ, and nothing tells which is right");
    const others = listed(unlike.map(({ path }) => path));
    const differ = isCertain
      ? "have its UUIDs and other contents"
      : "have its UUIDs, and perhaps other contents";
    const warning = `${nameOf(child)}: its parent is taken to be ${found.path}, since ${reason}; these ${differ}: ${others}`;
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
    { uuid }: Identity,
    child: Layer,
    copies: readonly Candidate[],
    why: string,
  ): MissingError {
    const paths = listed(copies.map(({ path }) => path).sort());
    return new MissingError({
      file: nameOf(child),
      thing: `which image is its parent {${uuid}} cannot be told: ${paths} have this UUID, ${why}`,
      hint: "move all but the right one to another folder",
    });
  }

  /** The error for a parent that was not found: why the likeliest file cannot be opened, or where it was searched. */
  function missing({ identity, hints }: ParentReference, child: Layer): unknown {
    const file = nameOf(child);
    const { failures } = candidates;
    const places = new Set(hints.flatMap((hint) => placesOf(hint, folderOf(child))));
    const names = (path: string): boolean =>
      identity !== undefined &&
      (registered.get(path) === identity.uuid || basename(path).toLowerCase().includes(identity.uuid));
    const isDenied = (error: DiskError): boolean => error instanceof DeniedError && error.cause === undefined;
    const called = identity === undefined ? hints.join(" or ") : `{${identity.uuid}}`;
    for (const [path, error] of failures) {
      if (names(path) || (places.has(path) && !(error instanceof MissingError)))
        return withContext(`parent of ${file}`, error);
    }
    for (const [, error] of failures) {
      if (isDenied(error)) return withContext(`perhaps the parent of ${file}, ${called}`, error);
    }
    const unreadable = [...failures.values()].map((error) => error.message);
    const searched = [
      ...files.folders,
      ...[...files.outside].map((folder) => `not in ${folder}, which lies outside`),
      ...(files.omittedCount > 0 ? [`without ${files.omittedCount} or more that are too many`] : []),
    ];
    return new MissingError({
      file,
      thing:
        `its parent, the image ${called}, was not found (files looked at: ${candidates.count}, in ${searched.join(", ")}` +
        (unreadable.length === 0 ? ")" : `; could not be read: ${listed(unreadable)})`),
      hint: "copy it beside this image, or name its folder with --allow-dir DIR",
    });
  }

  return {
    async open(child) {
      const folder = folderOf(child);
      for (const place of [folder, dirname(folder), ...roots]) await files.addFolder(place);
      const wanted = child.parent!;
      const { found, warnings } = await find(wanted, child);
      const isChanged = wanted.matches(found) === "changed";
      return {
        image: await candidates.take(found),
        warnings: isChanged ? [...warnings, changed(child, found)] : warnings,
      };
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

/** What the user should know where the parent is no longer what it was when the child was made. */
function changed(child: Layer, { path, identity }: Candidate): string {
  const noted = child.parent?.identity?.modification;
  const detail =
    noted === undefined || identity?.modification === undefined
      ? ""
      : ` (modification UUID ${identity.modification}, but ${noted} was noted)`;
  return (
    `${nameOf(child)}: its parent ${path} was written to after this image was made on it${detail}: ` +
    "what is read may be a mixture of both states"
  );
}

function listed(texts: readonly string[]): string {
  const more = texts.length > LISTED_LIMIT ? [`and ${texts.length - LISTED_LIMIT} more`] : [];
  return [...texts.slice(0, LISTED_LIMIT), ...more].join("; ");
}

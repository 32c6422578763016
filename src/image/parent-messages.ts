/** The errors and warnings of the search for a parent. */
import { basename, dirname } from "node:path";
import { DeniedError, DiskError, MissingError, withContext } from "../errors.js";
import type { Candidate, Candidates } from "./candidates.js";
import { placesOf } from "./hints.js";
import type { ImageFacts, Layer, ParentReference } from "./image.js";
import type { Neighbourhood } from "./neighbourhood.js";

/** Items that a message lists. */
const LISTED_LIMIT = 5;

/** The files and folders that were searched for the parent. */
export interface Searched {
  readonly candidates: Candidates;
  readonly files: Neighbourhood;
  /** The UUIDs that files are registered with, by path. */
  readonly registered: ReadonlyMap<string, string>;
  /** The images at the places that the child notes. */
  readonly hinted: readonly Candidate[];
}

/**
 * Returns the error for a parent that was not found: the reason why a candidate cannot be opened;
 * otherwise, the places that were searched.
 */
export function missingParent(child: Layer, { candidates, files, registered, hinted }: Searched): unknown {
  const file = nameOf(child);
  const { hints, identity } = child.parent!;
  const uuid = identity?.uuid;
  const called = uuid === undefined ? hints.join(" or ") : `{${uuid}}`;
  const { failures } = candidates;
  const places = new Set(hints.flatMap((hint) => placesOf(hint, dirname(child.image.files[0].location))));
  const hasUuid = (path: string): boolean =>
    uuid !== undefined && (registered.get(path) === uuid || basename(path).toLowerCase().includes(uuid));
  for (const [path, error] of failures) {
    if (hasUuid(path) || (places.has(path) && !(error instanceof MissingError)))
      return withContext(`parent of ${file}`, error);
  }
  for (const [, error] of failures) {
    if (isByGate(error)) return withContext(`perhaps the parent of ${file}, ${called}`, error);
  }
  const others = hinted.map(({ path, format, identity: found }) =>
    found?.uuid === undefined ? `${path} (${format}) has no UUID` : `${path} is the image {${found.uuid}}`,
  );
  const unreadable = [...failures.values()].map((error) => error.message);
  const searched = [
    ...files.folders,
    ...[...files.outside].map((folder) => `not in ${folder}, which lies outside`),
    ...(files.omittedCount > 0 ? [`${files.omittedCount} or more files were skipped: too many`] : []),
  ];
  return new MissingError({
    file,
    thing:
      `its parent, the image ${called}, was not found (files looked at: ${candidates.count}, in ${searched.join(", ")}` +
      (others.length === 0 ? "" : `; at the recorded path: ${listed(others)}`) +
      (unreadable.length === 0 ? ")" : `; could not be read: ${listed(unreadable)})`),
    hint: "copy it beside this image, or name its folder with --allow-dir DIR",
  });
}

/** Returns the error for several images of which nothing tells which one is the parent. */
export function ambiguousParent(child: Layer, copies: readonly Candidate[], why: string): MissingError {
  const paths = listed(copies.map(({ path }) => path).sort());
  const uuid = child.parent?.identity?.uuid;
  return new MissingError({
    file: nameOf(child),
    thing: `several images may be its parent: ${paths} have its UUID {${uuid}}, ${why}`,
    hint: "move all but the right one to another folder",
  });
}

/** Returns the warning about a parent that has been written to since the child was made. */
export function changedParent(child: Layer, path: string, facts: ImageFacts): string {
  const detail = differenceOf(child.parent!, facts);
  return (
    `${nameOf(child)}: its parent ${path} was written to after this image was made on it${detail}: ` +
    "what is read may be a mixture of both states"
  );
}

/** Describes how the parent differs from what the child recorded. A time proves nothing: copying a file may change it. */
function differenceOf({ identity, modified: noted }: ParentReference, facts: ImageFacts): string {
  const { identity: found, modified } = facts;
  if (identity?.modification !== undefined && found?.modification !== undefined)
    return ` (its modification is ${found.modification}, but ${identity.modification} was noted)`;
  if (noted === undefined || modified === undefined) return "";
  return `, unless its file was only copied (it was last written to at ${dateOf(modified)}, but ${dateOf(noted)} was noted)`;
}

function dateOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Returns `texts` as a list of at most LISTED_LIMIT items. */
export function listed(texts: readonly string[]): string {
  const more = texts.length > LISTED_LIMIT ? [`and ${texts.length - LISTED_LIMIT} more`] : [];
  return [...texts.slice(0, LISTED_LIMIT), ...more].join("; ");
}

/** Whether the gate denied the file, and not the host: the host's error would be the cause. */
function isByGate(error: DiskError): boolean {
  let { cause } = error;
  while (cause instanceof DiskError) ({ cause } = cause); // the context that was added
  return error instanceof DeniedError && cause === undefined;
}

function nameOf({ image }: Layer): string {
  return image.files[0].name;
}

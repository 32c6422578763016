/**
 * Choosing among several files that have the same UUIDs. If their contents are equal, any of them will do; if their
 * contents differ, one is chosen for a reason that is reported, never by its name alone.
 */
import { basename, dirname } from "node:path";
import { DiskError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { readInto } from "../extent/read.js";
import { storageSource } from "../extent/storage.js";
import type { Image } from "./image.js";

/** A file that may be the parent that is searched for. */
export interface Copy {
  /** The path by which it was found. */
  readonly path: string;
  /** The path without symbolic links. */
  readonly realPath: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified?: number;
}

export interface Preferences {
  /** The parent's UUID. */
  readonly uuid: string;
  /** The child's folder. */
  readonly folder: string;
  /** The paths that the parent is registered with, the most probable first. */
  readonly registered: readonly string[];
  /** The paths that the child notes, the most probable first. */
  readonly noted: readonly string[];
}

/** A reason to prefer a copy; the copy with the smallest rank is preferred. */
type Criterion = readonly [reason: string, rank: (copy: Copy, preferences: Preferences) => number];

const CRITERIA: readonly Criterion[] = [
  [
    "it is registered with the machine",
    ({ path, realPath }, { registered }) => rankIn(registered, path, realPath),
  ],
  [
    "it lies where the image that is built on it says",
    ({ path, realPath }, { noted }) => rankIn(noted, path, realPath),
  ],
  [
    "it lies in the folder of the image that is built on it",
    ({ realPath }, { folder }) => (dirname(realPath) === folder ? 0 : 1),
  ],
  [
    "it has the UUID in its name",
    ({ realPath }, { uuid }) => (basename(realPath).toLowerCase().includes(uuid) ? 0 : 1),
  ],
  ["it was written to last", ({ modified = 0 }) => -modified],
];

/** Returns `copies` in the order of preference. */
export function prefer<C extends Copy>(copies: readonly C[], preferences: Preferences): C[] {
  return copies.toSorted((a, b) => {
    const criterion = criterionBetween(a, b, preferences);
    return criterion === undefined ? 0 : criterion[1](a, preferences) - criterion[1](b, preferences);
  });
}

/** Returns why `best` is preferred to `other`; undefined if they differ only in their names. */
export function reasonToPrefer(best: Copy, other: Copy, preferences: Preferences): string | undefined {
  return criterionBetween(best, other, preferences)?.[0];
}

function criterionBetween(a: Copy, b: Copy, preferences: Preferences): Criterion | undefined {
  return CRITERIA.find(([, rank]) => rank(a, preferences) !== rank(b, preferences));
}

function rankIn(places: readonly string[], path: string, realPath: string): number {
  const index = places.findIndex((place) => place === path || place === realPath);
  return index < 0 ? places.length : index;
}

/** Bytes of two files that are compared: enough for the structures of most images, and quickly read. */
const COMPARED_LIMIT = 32 * 2 ** 20;
const CHUNK_SIZE = 2 ** 20;

/** What comparing two copies shows. */
export type Likeness = "same" | "different" | "unknown";

/**
 * Compares the files of two images byte by byte: "unknown" if no difference was found, but a file is larger than
 * COMPARED_LIMIT or cannot be read.
 */
export async function compareImages(a: Image, b: Image): Promise<Likeness> {
  if (a.files.length !== b.files.length) return "different";
  let isCertain = true;
  for (const [index, file] of a.files.entries()) {
    const likeness = await compareSources(storageSource(file), storageSource(b.files[index]!));
    if (likeness === "different") return "different";
    isCertain &&= likeness === "same";
  }
  return isCertain ? "same" : "unknown";
}

async function compareSources(a: BlockSource, b: BlockSource): Promise<Likeness> {
  if (a.size !== b.size) return "different";
  const [first, second] = [Buffer.allocUnsafe(CHUNK_SIZE), Buffer.allocUnsafe(CHUNK_SIZE)];
  try {
    for (let offset = 0; offset < a.size; offset += CHUNK_SIZE) {
      if (offset >= COMPARED_LIMIT) return "unknown";
      const length = Math.min(CHUNK_SIZE, a.size - offset);
      await readInto(a, first.subarray(0, length), offset);
      await readInto(b, second.subarray(0, length), offset);
      if (!first.subarray(0, length).equals(second.subarray(0, length))) return "different";
    }
    return "same";
  } catch (error) {
    if (error instanceof DiskError) return "unknown";
    throw error;
  }
}

/**
 * Choosing among several files that have the same UUIDs. Copies of one image are as good as each other; where their
 * contents differ, one is chosen for a reason that is reported, never by its name.
 */
import { basename, dirname } from "node:path";
import { DiskError } from "../errors.js";
import type { Storage } from "../storage/storage.js";

/** A file that may be the image that is searched. */
export interface Copy {
  /** As it was found. */
  readonly path: string;
  /** Without symbolic links. */
  readonly realPath: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

export interface Preferences {
  /** The UUID of the image that is searched. */
  readonly uuid: string;
  /** The folder of the image that is built on it. */
  readonly folder: string;
  /** The places where it is registered, the likeliest first. */
  readonly registered: readonly string[];
}

/** A property by which a copy is preferred: the smallest rank is the best. */
type Criterion = readonly [reason: string, rank: (copy: Copy, preferences: Preferences) => number];

const CRITERIA: readonly Criterion[] = [
  [
    "it is registered with the machine",
    ({ path, realPath }, { registered }) => rankIn(registered, path, realPath),
  ],
  [
    "it lies in the folder of the image that is built on it",
    ({ realPath }, { folder }) => (dirname(realPath) === folder ? 0 : 1),
  ],
  [
    "it has the UUID in its name",
    ({ realPath }, { uuid }) => (basename(realPath).toLowerCase().includes(uuid) ? 0 : 1),
  ],
  ["it was written to last", ({ modified }) => -modified],
];

/** Returns `copies` in the order of preference. */
export function prefer<C extends Copy>(copies: readonly C[], preferences: Preferences): C[] {
  return copies.toSorted((a, b) => {
    const criterion = criterionBetween(a, b, preferences);
    return criterion === undefined ? 0 : criterion[1](a, preferences) - criterion[1](b, preferences);
  });
}

/** Returns why `best` is preferred to `other`; undefined where only their names differ. */
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

/** Bytes that are compared of two copies: enough for the structures of any image, and soon done. */
const COMPARED_LIMIT = 32 * 2 ** 20;
const CHUNK_SIZE = 2 ** 20;

/** Whether the files `a` and `b` have the same bytes; "unknown" where only the first COMPARED_LIMIT bytes are known to. */
export async function compareFiles(a: Storage, b: Storage): Promise<"same" | "different" | "unknown"> {
  if (a.size !== b.size) return "different";
  const [first, second] = [Buffer.allocUnsafe(CHUNK_SIZE), Buffer.allocUnsafe(CHUNK_SIZE)];
  try {
    for (let offset = 0; offset < a.size; offset += CHUNK_SIZE) {
      if (offset >= COMPARED_LIMIT) return "unknown";
      const length = Math.min(CHUNK_SIZE, a.size - offset);
      await a.read(first.subarray(0, length), offset);
      await b.read(second.subarray(0, length), offset);
      if (!first.subarray(0, length).equals(second.subarray(0, length))) return "different";
    }
    return "same";
  } catch (error) {
    if (error instanceof DiskError) return "unknown";
    throw error;
  }
}

/** Where the structures of an image lie: what the reader itself looks at while it reads a sound image. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Fields, Struct } from "../../../src/bytes/struct.js";

const SOURCES = fileURLToPath(new URL("../../../src", import.meta.url));
/** Bytes of a structure and of what follows it by which it is found in the image. */
const SNIPPET = 64;
const BLOCK = 4096;
/** Places of one structure that are kept. */
const PLACES = 400;

/** A structure somewhere in a file of the image. */
export interface Place {
  readonly struct: Struct<Fields>;
  readonly file: number;
  readonly offset: number;
}

interface Seen {
  readonly struct: Struct<Fields>;
  readonly snippet: Buffer;
}

/** Every structure that a module of src/ exports. */
export async function allStructs(): Promise<Struct<Fields>[]> {
  const structs = new Set<Struct<Fields>>();
  for (const name of readdirSync(SOURCES, { recursive: true, encoding: "utf8" })) {
    const path = `${SOURCES}/${name}`;
    if (!name.endsWith(".ts") || !readFileSync(path, "utf8").includes("= struct(")) continue;
    const module = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
    for (const value of Object.values(module)) if (isStruct(value)) structs.add(value);
  }
  return [...structs];
}

function isStruct(value: unknown): value is Struct<Fields> {
  return typeof value === "object" && value !== null && "view" in value && "fields" in value;
}

/**
 * Runs `read`, and gives the structures that were looked at meanwhile, as far as their bytes are found in `files`
 * within the ranges of `isRead`.
 */
export async function recordPlaces(
  structs: readonly Struct<Fields>[],
  files: readonly Buffer[],
  read: () => Promise<void>,
): Promise<Place[]> {
  const seen = new Map<string, Seen>();
  const originals = structs.map((struct) => Object.getOwnPropertyDescriptor(struct, "view")!);
  for (const struct of structs) {
    const view = struct.view.bind(struct);
    const counts = new Map<string, number>();
    struct.view = (bytes, at = 0, ...rest) => {
      const snippet = bytes.subarray(at, at + SNIPPET);
      const key = `${struct.name} ${snippet.toString("latin1")}`;
      const count = counts.get(struct.name) ?? 0;
      if (count < PLACES && !seen.has(key)) {
        counts.set(struct.name, count + 1);
        seen.set(key, { struct, snippet: Buffer.from(snippet) });
      }
      return view(bytes, at, ...rest);
    };
  }
  try {
    await read();
  } finally {
    structs.forEach((struct, index) => {
      Object.defineProperty(struct, "view", originals[index]!);
    });
  }
  const parts = files.map(filledParts);
  return [...seen.values()].flatMap((one) => locate(one, files, parts));
}

/** Where `bytes` are not zero, in whole blocks: most of an image is. */
function filledParts(bytes: Buffer): [from: number, to: number][] {
  const zeros = Buffer.alloc(BLOCK);
  const parts: [number, number][] = [];
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const end = Math.min(bytes.length, at + BLOCK);
    if (bytes.compare(zeros, 0, end - at, at, end) === 0) continue;
    const last = parts.at(-1);
    // What begins at a block's end goes on in the next, whether that is zero or not.
    if (last !== undefined && last[1] >= at) last[1] = end + SNIPPET;
    else parts.push([at, end + SNIPPET]);
  }
  return parts;
}

/** A few structures are found nowhere: their bytes were copied together, or corrected by fixups. */
function locate(
  { struct, snippet }: Seen,
  files: readonly Buffer[],
  parts: readonly (readonly [from: number, to: number][])[],
): Place[] {
  if (snippet.every((byte) => byte === 0)) return [];
  for (const [file, bytes] of files.entries()) {
    for (const [from, to] of parts[file]!) {
      const found = bytes.subarray(from, to).indexOf(snippet);
      if (found >= 0) return [{ struct, file, offset: from + found }];
    }
  }
  return [];
}

/** Where the structures of an image lie: what the reader itself looks at while it reads a sound image. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Fields, Struct } from "../../../src/bytes/struct.js";

const SOURCES = fileURLToPath(new URL("../../../src", import.meta.url));
/** Bytes of a structure and of what follows it by which it is found in the image. */
const SNIPPET = 64;
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
      const snippet = bytes.subarray(at, at + Math.max(SNIPPET, Math.min(struct.size, 512)));
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
  return [...seen.values()].flatMap((one) => locate(one, files));
}

/** A few structures are found nowhere: their bytes were put together, or mended by fixups. */
function locate({ struct, snippet }: Seen, files: readonly Buffer[]): Place[] {
  if (snippet.every((byte) => byte === 0)) return [];
  for (const [file, bytes] of files.entries()) {
    const offset = bytes.indexOf(snippet);
    if (offset >= 0) return [{ struct, file, offset }];
  }
  return [];
}

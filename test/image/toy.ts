/**
 * A format for tests of the contracts: it has all that a format may have. An image is a text that begins with "TOY", in
 * lines:
 *
 *     id UUID MODIFICATION          its identity; "-" for a value that it does not have
 *     state NAME                    begins a state; the first is the current one
 *     file PATH                     the state's next sector is this file; relative to the image's folder
 *     absent                        the state's next sector is the parent's
 *     on STATE                      the state is built on another one of this image
 *     parent PATH FORMAT MATCH      all states are built on another image; "-" for no path or any format; MATCH is the
 *                                   result of the comparison, or "id": the identities are compared
 *     parent-id UUID MODIFICATION   the parent's identity
 *     parent-state STATE            the parent's state
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { CorruptError } from "../../src/errors.js";
import { append, type LayerExtent } from "../../src/extent/extent.js";
import { read } from "../../src/extent/read.js";
import { storageSource } from "../../src/extent/storage.js";
import type {
  Identity,
  Image,
  ImageFacts,
  ImageFormat,
  Match,
  ParentReference,
} from "../../src/image/image.js";
import { imageWithStates } from "../../src/image/states.js";
import { closeAll } from "../../src/storage/closing.js";
import type { Storage } from "../../src/storage/storage.js";

export const SECTOR = 512;

/** What tests observe. */
export interface Hooks {
  opened?(path: string): void;
  /** Called with what is compared with a child's note, before that is done. */
  compared?(candidate: ImageFacts): void;
}

interface State {
  readonly name: string;
  readonly sectors: (Storage | "absent")[];
  on?: string;
}

/** The format, with hooks of one test. */
export function toyFormat(hooks: Hooks = {}): ImageFormat {
  return {
    name: "toy",
    probe: ({ head }) => head.toString("latin1", 0, 3) === "TOY",
    async open(file, gate) {
      hooks.opened?.(file.location);
      const lines = (await read(storageSource(file), 0, file.size)).toString().split("\n");
      const files: [Storage, ...Storage[]] = [file];
      const states: State[] = [];
      const words: Record<string, string[]> = {};
      try {
        for (const [word = "", ...rest] of lines.map((line) => line.split(" "))) {
          if (word === "state") states.push({ name: rest[0]!, sectors: [] });
          else if (word === "on") states.at(-1)!.on = rest[0]!;
          else if (word === "absent") states.at(-1)!.sectors.push("absent");
          else if (word === "file") {
            files.push(await gate.open(resolve(dirname(file.location), rest[0]!)));
            states.at(-1)!.sectors.push(files.at(-1)!);
          } else words[word] = rest;
        }
        if (states.length === 0) throw new CorruptError({ file: file.name, thing: "there is no state" });
      } catch (error) {
        await closeAll(files.slice(1));
        throw error;
      }
      return toyImage(files, states, words, hooks);
    },
  };
}

function toyImage(
  files: readonly [Storage, ...Storage[]],
  states: readonly State[],
  words: Readonly<Record<string, string[]>>,
  hooks: Hooks,
): Image {
  const identity = identityOf(words["id"]);
  const parent = parentOf(words, hooks);
  const [first, ...others] = states.map(({ name }) => ({ id: name, name }));
  return imageWithStates(
    { format: "toy", files, ...(identity && { identity }), states: [first!, ...others] },
    ({ id }) => {
      const { sectors, on } = states.find(({ name }) => name === id)!;
      return {
        size: sectors.length * SECTOR,
        variant: "toy",
        warnings: [],
        details: {},
        ...(on === undefined ? parent && { parent } : { parentState: on }),
        map: (offset, length) => Promise.resolve(mapSectors(sectors, offset, length)),
      };
    },
  );
}

function parentOf(words: Readonly<Record<string, string[]>>, hooks: Hooks): ParentReference | undefined {
  if (words["parent"] === undefined) return undefined;
  const [path, format, match] = words["parent"] as [string, string, Match | "id"];
  const identity = identityOf(words["parent-id"]);
  const state = words["parent-state"]?.[0];
  return {
    hints: path === "-" ? [] : [path],
    ...(format !== "-" && { format }),
    ...(identity && { identity }),
    ...(state !== undefined && { state }),
    matches(candidate) {
      hooks.compared?.(candidate);
      if (match !== "id") return match;
      if (candidate.identity?.uuid !== identity?.uuid) return "different";
      return candidate.identity?.modification === identity?.modification ? "same" : "changed";
    },
  };
}

function identityOf(words: readonly string[] | undefined): Identity | undefined {
  if (words === undefined) return undefined;
  const [uuid, modification] = words as [string, string];
  return { ...(uuid !== "-" && { uuid }), ...(modification !== "-" && { modification }) };
}

function mapSectors(sectors: readonly (Storage | "absent")[], offset: number, length: number): LayerExtent[] {
  const extents: LayerExtent[] = [];
  for (let at = offset; at < offset + length;) {
    const sector = sectors[Math.floor(at / SECTOR)]!;
    const skip = at % SECTOR;
    const part = Math.min(SECTOR - skip, offset + length - at);
    if (sector === "absent") append(extents, { kind: "absent", length: part });
    else append(extents, { kind: "stored", storage: sector, offset: skip, length: part });
    at += part;
  }
  return extents;
}

/** Writes files below `folder`: a text, or a sector that is filled with a byte. */
export function writeFiles(folder: string, files: Readonly<Record<string, string | number>>): void {
  for (const [name, contents] of Object.entries(files)) {
    const path = resolve(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof contents === "string" ? contents : Buffer.alloc(SECTOR, contents));
  }
}

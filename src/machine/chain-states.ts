/** Images that belong to no machine: their states are those of their chain, and other files may be built on them. */
import { readdir, realpath } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { DiskError, whenHostFails } from "../errors.js";
import { openChain, type Chain } from "../image/chain.js";
import { openImageAt } from "../image/formats.js";
import type { Image, ImageState, Layer } from "../image/image.js";
import type { SoughtImage } from "./hypervisor.js";
import type { DiskState } from "./machine.js";
import { findImages } from "./machines.js";
import { mapParallel } from "./parallel.js";
import type { StateTree } from "./state-choice.js";

/**
 * Returns the states of a disk that `chain` shows, the oldest first: one for each image below the named one, with its
 * file's name; then the internal snapshots of the named image, and its current state.
 */
export function chainStates({ layers }: Chain): DiskState[] {
  const { image } = layers[0]!;
  const [current, ...snapshots] = image.states;
  const below = layers.filter((layer) => layer.image !== image).reverse();
  return [
    ...below.map((layer) => stateOf(layer.image, layer.state, nameOf(layer))),
    ...snapshots.map((state) => stateOf(image, state, state.name)),
    { ...stateOf(image, current, "current"), isCurrent: true },
  ];
}

function stateOf(image: Image, state: ImageState, name: string): DiskState {
  return {
    name,
    isCurrent: false,
    image: image.files[0].location,
    imageUuid: image.identity?.uuid ?? "",
    ...(state !== image.states[0] && { imageState: state.id }),
    ...(state.taken !== undefined && { taken: state.taken }),
  };
}

function nameOf({ image, state }: Layer): string {
  const name = basename(image.files[0].location);
  return state.id === image.states[0].id ? name : `${name} (${state.name})`;
}

/** Returns the states of the chain whose newest image is `path`. */
export async function chainTree(path: string, allowDirs: readonly string[]): Promise<StateTree> {
  const chain = await openChain(path, { allowDirs, findImages });
  try {
    const states = chainStates(chain);
    return {
      file: path,
      states,
      base: states[0],
      parentOf: (state) => states[states.indexOf(state) - 1],
    };
  } finally {
    await chain.close();
  }
}

/** Returns what is known of an image by itself. */
export async function identify(path: string, allowDirs: readonly string[]): Promise<SoughtImage> {
  const real = await realpath(path).catch(whenHostFails(path));
  const { uuid } = (await readUuids(path, allowDirs)) ?? {};
  return { path: real, ...(uuid !== undefined && { uuid }) };
}

/** Files that `findChild` opens at most. */
const FILES_LIMIT = 100;
const FILES_AT_ONCE = 4;

/** Returns an image that is built on the image `uuid`, from the folder of `path` or `Snapshots` in it; undefined if there is none. */
export async function findChild({ path, uuid }: SoughtImage): Promise<string | undefined> {
  if (uuid === undefined) return undefined;
  const folder = dirname(path);
  const files: string[] = [];
  for (const place of [folder, join(folder, "Snapshots")]) {
    for (const name of (await readdir(place).catch(whenHostFails<string[]>([]))).sort()) {
      if (extname(name).toLowerCase() === extname(path).toLowerCase()) files.push(join(place, name));
    }
  }
  const looked = await mapParallel(files.slice(0, FILES_LIMIT), FILES_AT_ONCE, async (file) =>
    (await readUuids(file))?.parent === uuid ? file : undefined,
  );
  return looked.find((file) => file !== undefined);
}

/** Returns the UUIDs of the image `path` and of its parent; undefined if it cannot be read, which is reported elsewhere. */
async function readUuids(
  path: string,
  allowDirs: readonly string[] = [],
): Promise<{ uuid?: string; parent?: string } | undefined> {
  try {
    const image = await openImageAt(path, { allowDirs, findImages });
    try {
      const uuid = image.identity?.uuid;
      const parent = (await image.layer()).parent?.identity?.uuid;
      return { ...(uuid !== undefined && { uuid }), ...(parent !== undefined && { parent }) };
    } finally {
      await image.close();
    }
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}

/** Images that no machine owns: their states are those of their chain, and files beside them may be built on them. */
import { readdir, realpath } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { DiskError, whenHostFails } from "../errors.js";
import { openChain, type Chain } from "../image/chain.js";
import { openImageAt } from "../image/formats.js";
import type { SoughtImage } from "./hypervisor.js";
import type { DiskState } from "./machine.js";
import { findImages } from "./machines.js";
import { mapParallel } from "./parallel.js";
import type { StateTree } from "./state-choice.js";

/** The states of a disk that `chain` shows, the oldest first: each is named like its file. */
export function chainStates({ layers }: Chain): DiskState[] {
  const states = layers.map(({ image: { files, identity } }, level): DiskState => ({
    name: level === 0 ? "current" : basename(files[0].location),
    isCurrent: level === 0,
    image: files[0].location,
    imageUuid: identity?.uuid ?? "",
  }));
  return states.reverse();
}

/** The states of the chain whose newest image is `path`. */
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

/** What is known of an image by itself. */
export async function identify(path: string): Promise<SoughtImage> {
  const real = await realpath(path).catch(whenHostFails(path));
  const { uuid } = (await glance(path)) ?? {};
  return { path: real, ...(uuid !== undefined && { uuid }) };
}

/** Files looked at for one that is built on an image. */
const FILES_LIMIT = 100;
const FILES_AT_ONCE = 4;

/** An image in the folder of `path`, or in `Snapshots` below it, that is built on the image `uuid`. */
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
    (await glance(file))?.parent === uuid ? file : undefined,
  );
  return looked.find((file) => file !== undefined);
}

/** The UUIDs of the image `path` and of its parent; undefined where it is no image, which is reported elsewhere. */
async function glance(path: string): Promise<{ uuid?: string; parent?: string } | undefined> {
  try {
    const image = await openImageAt(path);
    try {
      const { parent } = await image.layer();
      return {
        ...(image.identity !== undefined && { uuid: image.identity.uuid }),
        ...(parent?.identity !== undefined && { parent: parent.identity.uuid }),
      };
    } finally {
      await image.close();
    }
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}

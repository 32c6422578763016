/**
 * A chain of images as one disk: the image that was named, its parent, and so on down to the base.
 *
 * Which image is a parent, its UUID decides and never its name; parents.ts searches for it. What may be opened,
 * the gate decides. Allowed are the folder of the named image and all below it; the folder above, when the
 * image's own is called `Snapshots` (VirtualBox keeps differencing images there, below the machine's folder); the
 * machine's folders and registered images, as the registry tells; and the folders that the user allows.
 */
import { realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { CorruptError, UnsupportedError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { overlay } from "../extent/overlay.js";
import { openFile } from "../storage/file.js";
import { openGate } from "../storage/gate.js";
import type { Storage } from "../storage/storage.js";
import { formats as allFormats, openLayer } from "./formats.js";
import type { ImageFormat, Layer } from "./image.js";
import { isSnapshotFolder, parentSearch } from "./parents.js";
import type { FindImages } from "./registry.js";

export interface ChainOptions {
  /** Folders that the user allows beside the image's own: parents are searched and opened there too. */
  readonly allowDirs?: readonly string[];
  /** The formats that are tried, in order; all of them unless told. */
  readonly formats?: readonly ImageFormat[];
  /** Asked once, and only for an image that has a parent. */
  readonly findImages?: FindImages;
}

export interface Chain {
  /** From the image that was named (the top) to the base. */
  readonly layers: readonly Layer[];
  /** The disk; it is called as the named image's file. */
  readonly source: BlockSource;
  /** What is odd or damaged, but did not stop us: of the layers, the registry and the chain itself. */
  readonly warnings: readonly string[];
  /** Closes every image. */
  close(): Promise<void>;
}

/** Images of one chain. VirtualBox makes at most 250 snapshots of a machine; the rest is for hand-made ones. */
const DEPTH_LIMIT = 1000;

/**
 * Opens the image at `path` and all that it is built on, read-only. An image that others are built on opens as
 * the disk was when the first of them was made.
 * @throws {DiskError} where an image, or a parent, cannot be had; then nothing is left open.
 */
export async function openChain(path: string, options: ChainOptions = {}): Promise<Chain> {
  const { formats = allFormats } = options;
  const layers: Layer[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(layers.map((layer) => layer.close()));
  };
  try {
    layers.push(await openOwned(await openFile(path), formats));
    const warnings = [...layers[0]!.warnings];
    if (layers[0]!.parent !== undefined) warnings.push(...(await openParents(layers, options, formats)));
    return { layers, source: overlay(layers, basename(path)), warnings, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Appends to `layers`, which hold the top, all others; answers what is to be warned of. */
async function openParents(
  layers: Layer[],
  { allowDirs = [], findImages }: ChainOptions,
  formats: readonly ImageFormat[],
): Promise<string[]> {
  const leaf = layers[0]!;
  const path = await realpath(leaf.storage.path);
  const uuid = leaf.identity?.uuid;
  const registry = await findImages?.({ path, ...(uuid !== undefined && { uuid }) });
  const images = registry?.images ?? [];
  const roots = [...homeOf(path), ...(registry?.folders ?? []), ...allowDirs];
  const files = images.map((image) => image.path);
  const search = await parentSearch({ gate: await openGate(roots, files), roots, images, formats });

  const warnings = [...(registry?.warnings ?? [])];
  const seen = new Set([path]);
  for (let child = leaf; child.parent !== undefined;) {
    const file = child.storage.name;
    if (layers.length >= DEPTH_LIMIT) {
      const thing = "the chain of images that this one is built on";
      throw new UnsupportedError({ file, thing, found: "longer still", expected: `${DEPTH_LIMIT} at most` });
    }
    const parent = await search.open(child);
    layers.push(parent);
    if (seen.has(parent.storage.path)) {
      const thing = `its parent ${parent.storage.name} is itself built on this image: the chain is a loop`;
      throw new CorruptError({ file, thing });
    }
    seen.add(parent.storage.path);
    warnings.push(...parent.warnings, ...changes(child, parent));
    child = parent;
  }
  return warnings;
}

/** The folders that are the image's own. */
function homeOf(path: string): string[] {
  const folder = dirname(path);
  return isSnapshotFolder(folder) ? [folder, dirname(folder)] : [folder];
}

/** What is to be warned of where the parent is no longer what it was when the child was made. */
function changes(child: Layer, parent: Layer): string[] {
  const noted = child.parent?.modification;
  const actual = parent.identity?.modification;
  if (noted === undefined || actual === undefined || noted === actual) return [];
  return [
    `${child.storage.name}: its parent ${parent.storage.name} was written to after this image was made on it ` +
      `(modification UUID ${actual}, but ${noted} was noted): what is read may be a mixture of both states`,
  ];
}

/** The layer that `storage` holds, which is closed where there is none. */
async function openOwned(storage: Storage, formats: readonly ImageFormat[]): Promise<Layer> {
  try {
    return await openLayer(storage, formats);
  } catch (error) {
    await storage.close();
    throw error;
  }
}

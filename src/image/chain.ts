/**
 * A chain of images as one disk: the image that was named, its parent, and so on down to the base.
 *
 * Which image is a parent, its UUID decides and never its name; parents.ts searches for it. What may be opened,
 * the gate decides. Allowed are the folder of the named image and all below it; the folder above, when the
 * image's own is called `Snapshots` (VirtualBox keeps differencing images there, below the machine's folder); the
 * machine's folders and registered images, as the registry tells; and the folders that the user allows.
 *
 * Several chains may share images, as the states of one disk do: each image is opened once, and stays open until all
 * are closed. Who was told where bytes are has no more than a descriptor's number, which must not come to mean
 * another file meanwhile.
 */
import { realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { CorruptError, HostError, MissingError, UnsupportedError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { overlay } from "../extent/overlay.js";
import { openFile } from "../storage/file.js";
import { locate, openGate } from "../storage/gate.js";
import type { Storage } from "../storage/storage.js";
import { formats as allFormats, openLayer } from "./formats.js";
import type { ImageFormat, Layer, ParentReference } from "./image.js";
import { isSnapshotFolder } from "./neighbourhood.js";
import { parentSearch, type ParentSearch } from "./parents.js";
import type { FindImages } from "./registry.js";

export interface ChainOptions {
  /** Folders that the user allows beside the image's own: parents are searched and opened there too. */
  readonly allowDirs?: readonly string[];
  /** The formats that are tried, in order; all of them unless told. */
  readonly formats?: readonly ImageFormat[];
  /** Asked once a chain, and only for an image that has a parent that is not open yet. */
  readonly findImages?: FindImages;
}

export interface Chain {
  /** From the image that was named (the top) to the base. */
  readonly layers: readonly Layer[];
  /** The disk; it is called as the named image's file. */
  readonly source: BlockSource;
  /** What is odd or damaged, but did not stop us: of the layers, the registry and the chain itself. */
  readonly warnings: readonly string[];
}

/** A chain that has its images to itself. */
export interface OpenChain extends Chain {
  /** Closes every image. */
  close(): Promise<void>;
}

/** Images that chains share. */
export interface Images {
  /**
   * The chain of the image at `path`, as openChain would open it.
   * @throws {DiskError} where an image, or a parent, cannot be had; others stay as they are.
   */
  chain(path: string): Promise<Chain>;
  close(): Promise<void>;
}

/**
 * Opens the image at `path` and all that it is built on, read-only. An image that others are built on opens as
 * the disk was when the first of them was made.
 * @throws {DiskError} where an image, or a parent, cannot be had; then nothing is left open.
 */
export async function openChain(path: string, options: ChainOptions = {}): Promise<OpenChain> {
  const images = openImages(options);
  try {
    return { ...(await images.chain(path)), close: () => images.close() };
  } catch (error) {
    await images.close();
    throw error;
  }
}

/** Images of one chain. VirtualBox makes at most 250 snapshots of a machine; the rest is for hand-made ones. */
const DEPTH_LIMIT = 1000;

/** No images yet. */
export function openImages(options: ChainOptions = {}): Images {
  const { formats = allFormats } = options;
  /** By path, with every symbolic link followed. */
  const layers = new Map<string, Layer>();
  /** By UUID and modification, of those that have both and were found to be a parent. */
  const exact = new Map<string, Layer>();
  const parents = new Map<Layer, KnownParent>();
  /** By the folder of the image whose parents were searched. */
  const searches = new Map<string, Search>();
  let isClosed = false;
  // Chains are opened one after the other: two at once would open what they share twice.
  let last: Promise<unknown> = Promise.resolve();

  function keep(path: string, layer: Layer): Layer {
    layers.set(path, layer);
    return layer;
  }

  async function openNamed(path: string): Promise<Layer> {
    const known = layers.get(await realpath(path).catch(() => path));
    if (known !== undefined) return known;
    const layer = await openOwned(await openFile(path), formats);
    return keep(await placeOf(layer), layer);
  }

  async function parentOf(child: Layer, search: () => Promise<Search>): Promise<KnownParent> {
    const known = parents.get(child);
    if (known !== undefined) return known;
    const shared = exact.get(keyOf(child.parent) ?? "");
    const found =
      shared === undefined ? await findParent(child, await search()) : { parent: shared, warnings: [] };
    parents.set(child, found);
    return found;
  }

  async function findParent(child: Layer, { parentSearch }: Search): Promise<KnownParent> {
    const { layer, warnings } = await parentSearch.open(child);
    const { path } = layer.storage;
    const shared = layers.get(path);
    if (shared !== undefined) await layer.close();
    const parent = shared ?? keep(path, layer);
    const key = keyOf(parent.identity);
    // What the user names need not be what others are built on: another may have the same UUIDs.
    if (key !== undefined && !exact.has(key)) exact.set(key, parent);
    return { parent, warnings };
  }

  /** The search for the parents of `leaf`: one that began in the same folder for the same machine goes on. */
  async function searchFor(leaf: Layer): Promise<Search> {
    const path = await placeOf(leaf);
    const known = searches.get(dirname(path));
    if (known !== undefined && (known.registered.size === 0 || known.registered.has(path))) return known;
    const search = await searchFrom(leaf, path, options, formats);
    searches.set(dirname(path), search);
    return search;
  }

  async function open(path: string): Promise<Chain> {
    if (isClosed) throw new HostError({ file: path, thing: "the disk is closed" }, "EBADF");
    const leaf = await openNamed(path);
    const chain = [leaf];
    const warnings = [...leaf.warnings];
    let searching: Promise<Search> | undefined;
    const search = (): Promise<Search> =>
      (searching ??= searchFor(leaf).then((search) => {
        warnings.push(...search.warnings);
        return search;
      }));
    for (let child = leaf; child.parent !== undefined;) {
      const file = child.storage.name;
      if (chain.length >= DEPTH_LIMIT) {
        const thing = "the chain of images that this one is built on";
        throw new UnsupportedError({
          file,
          thing,
          found: "longer still",
          expected: `${DEPTH_LIMIT} at most`,
        });
      }
      const { parent, warnings: ofChoice } = await parentOf(child, search);
      if (chain.includes(parent)) {
        const thing = `its parent ${parent.storage.name} is itself built on this image: the chain is a loop`;
        throw new CorruptError({ file, thing });
      }
      chain.push(parent);
      warnings.push(...ofChoice, ...parent.warnings, ...changes(child, parent));
      child = parent;
    }
    return { layers: chain, source: overlay(chain, basename(path)), warnings };
  }

  /** Opens a chain, and closes the images that were looked at and are no part of it. */
  async function openAndRelease(path: string): Promise<Chain> {
    const isReused = searches.size > 0;
    try {
      return await open(path);
    } catch (error) {
      await releaseAll();
      searches.clear();
      // What an earlier chain searched may be there by now.
      if (isReused && error instanceof MissingError) return await open(path);
      throw error;
    } finally {
      await releaseAll();
    }
  }

  async function releaseAll(): Promise<void> {
    for (const { parentSearch } of searches.values()) await parentSearch.release();
  }

  return {
    chain(path) {
      const opened = last.then(() => openAndRelease(path));
      last = opened.catch(() => undefined);
      return opened;
    },
    async close() {
      isClosed = true;
      await last;
      await Promise.all([...layers.values()].map((layer) => layer.close()));
      layers.clear();
    },
  };
}

/** Where the open image lies, without symbolic links, whatever its name means by now. */
async function placeOf({ storage }: Layer): Promise<string> {
  return (await locate(storage)) ?? realpath(storage.path);
}

/** The folders that are the image's own; `path` has every symbolic link followed. */
export function homeOf(path: string): string[] {
  const folder = dirname(path);
  return isSnapshotFolder(folder) ? [folder, dirname(folder)] : [folder];
}

/** What is known of an image's parent. */
interface KnownParent {
  readonly parent: Layer;
  /** What the user should know of how it was chosen. */
  readonly warnings: readonly string[];
}

interface Search {
  readonly parentSearch: ParentSearch;
  /** The images that the machine has registered; empty where none is known. */
  readonly registered: ReadonlySet<string>;
  /** What the registry has to say. */
  readonly warnings: readonly string[];
}

/** Begins the search for the parents of `leaf`, which lies at `path`. */
async function searchFrom(
  leaf: Layer,
  path: string,
  { allowDirs = [], findImages }: ChainOptions,
  formats: readonly ImageFormat[],
): Promise<Search> {
  const uuid = leaf.identity?.uuid;
  const {
    images = [],
    folders = [],
    warnings = [],
  } = (await findImages?.({ path, ...(uuid !== undefined && { uuid }) })) ?? {};
  const roots = [...homeOf(path), ...folders, ...allowDirs];
  const files = images.map((image) => image.path);
  const gate = await openGate(roots, files);
  return {
    parentSearch: await parentSearch({ gate, roots, images, formats }),
    registered: new Set(files),
    warnings,
  };
}

/** One state of one image, where it is told. */
function keyOf(reference: ParentReference | undefined): string | undefined {
  return reference?.modification === undefined ? undefined : `${reference.uuid} ${reference.modification}`;
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

/**
 * A chain of images as one disk: the image that was named, its parent, and so on down to the base.
 *
 * parents.ts searches for a parent; the format's own proof decides (its UUID, for VDI), never the name alone. The gate
 * decides what may be opened: files in the folder of the named image and below it; in the folder above, if the image's own
 * is called `Snapshots` (VirtualBox keeps differencing images there, below the machine's folder); in the machine's folders;
 * the machine's registered images; and files in the folders that the user allows.
 *
 * Several chains may share images, as the states of one disk do: each image is opened once, and stays open until all are
 * closed. Extents that were given out contain descriptors as numbers, which must not come to mean other files meanwhile.
 */
import { realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import {
  CorruptError,
  HostError,
  MissingError,
  UnsupportedError,
  whenHostFails,
  thrownElsewhere,
} from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { overlay } from "../extent/overlay.js";
import { locate, openGate } from "../storage/gate.js";
import { formats as allFormats, homeOf, openImageAt } from "./formats.js";
import type { Identity, Image, ImageFormat, Layer } from "./image.js";
import { parentSearch, type ParentSearch } from "./parents.js";
import type { FindImages } from "./registry.js";

export interface ChainOptions {
  /** Folders that the user allows beside the image's own: parents are searched and opened there too. */
  readonly allowDirs?: readonly string[];
  /** The formats that are tried, in order; all of them by default. */
  readonly formats?: readonly ImageFormat[];
  /** Called at most once for each chain, when a parent must be searched for. */
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

/** A chain that shares its images with no other. */
export interface OpenChain extends Chain {
  /** Closes every image. */
  close(): Promise<void>;
}

/** Images that chains share. */
export interface Images {
  /**
   * The chain of the image at `path`, as openChain would open it; `state` is the id of an internal snapshot.
   * @throws {DiskError} where an image, or a parent, cannot be opened; others stay as they are.
   */
  chain(path: string, state?: string): Promise<Chain>;
  close(): Promise<void>;
}

/**
 * Opens the image at `path` and all that it is built on, read-only. An image that others are built on opens as
 * the disk was when the first of them was made.
 * @throws {DiskError} where an image, or a parent, cannot be opened; then nothing is left open.
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
  const { formats = allFormats, allowDirs = [] } = options;
  /** By path, with every symbolic link followed. */
  const images = new Map<string, Image>();
  /** By the state's id. */
  const layers = new Map<Image, Map<string, Layer>>();
  /** By UUID and modification, of those that have both and were found to be a parent. */
  const exact = new Map<string, Image>();
  const parents = new Map<Layer, KnownParent>();
  /** By the folder of the image whose parents were searched. */
  const searches = new Map<string, Search>();
  let isClosed = false;
  // Chains are opened one after the other: two at once would open what they share twice.
  let last: Promise<unknown> = Promise.resolve();

  function keep(path: string, image: Image): Image {
    images.set(path, image);
    return image;
  }

  async function openNamed(path: string): Promise<Image> {
    const known = images.get(await realpath(path).catch(whenHostFails(path)));
    if (known !== undefined) return known;
    const image = await openImageAt(path, allowDirs, formats);
    return keep(await placeOf(image), image);
  }

  /** A state is one layer, however many chains it is part of. */
  async function layerOf(image: Image, state = image.states[0].id): Promise<Layer> {
    const known = layers.get(image) ?? new Map<string, Layer>();
    layers.set(image, known);
    const layer = known.get(state) ?? (await image.layer(state));
    known.set(state, layer);
    return layer;
  }

  async function parentOf(child: Layer, search: () => Promise<Search>): Promise<KnownParent> {
    const known = parents.get(child);
    if (known !== undefined) return known;
    const shared = exact.get(keyOf(child.parent?.identity) ?? "");
    const found =
      shared === undefined
        ? await findParent(child, await search())
        : { parent: await layerOf(shared), warnings: [] };
    parents.set(child, found);
    return found;
  }

  async function findParent(child: Layer, { parentSearch }: Search): Promise<KnownParent> {
    const { image, warnings } = await parentSearch.open(child);
    const { location } = image.files[0];
    const shared = images.get(location);
    if (shared !== undefined) await image.close();
    const parent = shared ?? keep(location, image);
    const key = keyOf(parent.identity);
    // What the user names need not be what others are built on: another may have the same UUIDs.
    if (key !== undefined && !exact.has(key)) exact.set(key, parent);
    return { parent: await layerOf(parent), warnings };
  }

  /** The search for the parents of `leaf`: one that began in the same folder for the same machine goes on. */
  async function searchFor({ image }: Layer): Promise<Search> {
    const path = await placeOf(image);
    const known = searches.get(dirname(path));
    if (known !== undefined && (known.registered.size === 0 || known.registered.has(path))) return known;
    const search = await searchFrom(image, path, options, formats);
    searches.set(dirname(path), search);
    return search;
  }

  async function open(path: string, state?: string): Promise<Chain> {
    if (isClosed) throw new HostError({ file: path, thing: "the disk is closed" }, "EBADF");
    const leaf = await layerOf(await openNamed(path), state);
    const chain = [leaf];
    const warnings = [...leaf.warnings];
    let searching: Promise<Search> | undefined;
    const search = (): Promise<Search> =>
      (searching ??= searchFor(leaf).then((search) => {
        warnings.push(...search.warnings);
        return search;
      }));
    for (let child = leaf; child.parent !== undefined;) {
      const file = child.image.files[0].name;
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
        const thing = `its parent ${parent.image.files[0].name} is itself built on this image: the chain is a loop`;
        throw new CorruptError({ file, thing });
      }
      chain.push(parent);
      warnings.push(...ofChoice, ...parent.warnings);
      child = parent;
    }
    return { layers: chain, source: overlay(chain, basename(path)), warnings };
  }

  /** Opens a chain, and closes the images that were looked at and are no part of it. */
  async function openAndRelease(path: string, state?: string): Promise<Chain> {
    const isReused = searches.size > 0;
    try {
      return await open(path, state);
    } catch (error) {
      await releaseAll();
      searches.clear();
      // What an earlier chain searched may be there by now.
      if (isReused && error instanceof MissingError) return await open(path, state);
      throw error;
    } finally {
      await releaseAll();
    }
  }

  async function releaseAll(): Promise<void> {
    for (const { parentSearch } of searches.values()) await parentSearch.release();
  }

  return {
    chain(path, state) {
      const opened = last.then(() => openAndRelease(path, state));
      last = opened.catch(thrownElsewhere);
      return opened;
    },
    async close() {
      isClosed = true;
      await last;
      await Promise.all([...images.values()].map((image) => image.close()));
      images.clear();
      layers.clear();
    },
  };
}

/** Where the open image lies, without symbolic links, whatever its name means by now. */
async function placeOf({ files: [file] }: Image): Promise<string> {
  return (await locate(file)) ?? realpath(file.location);
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
  leaf: Image,
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

/** Identifies one state of one image, where both UUIDs are known. */
function keyOf(identity: Identity | undefined): string | undefined {
  return identity?.modification === undefined ? undefined : `${identity.uuid} ${identity.modification}`;
}

/**
 * A chain of images as one disk: the image that was named, its parent, and so on down to the base.
 *
 * parents.ts searches for a parent; the proof that the child notes decides (`ParentReference.matches`), never the name
 * alone. Only these files are opened, each through a gate: files in the folder of the named image and below it; in the
 * folder above, if the image's own is called `Snapshots` (VirtualBox keeps differencing images there, below the machine's
 * folder); in the machine's folders; the machine's registered images, as parents only; and files in the folders that the
 * user allows.
 *
 * Several chains may share images, as the states of one disk do. All images stay open until all chains are closed: extents
 * that were passed on contain descriptors as numbers, and a number must not be reused for another file.
 */
import { basename, dirname } from "node:path";
import { settleAll } from "../bytes/settle.js";
import {
  CorruptError,
  HostError,
  MissingError,
  UnsupportedError,
  thrownElsewhere,
  withContext,
} from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { overlay } from "../extent/overlay.js";
import { openGate } from "../storage/gate.js";
import { factsOf, formats as allFormats, homeOf, pathOf, type ImageOptions } from "./formats.js";
import type { Identity, Image, Layer, ParentReference } from "./image.js";
import { sharedImages } from "./open-images.js";
import { parentSearch, type ParentSearch } from "./parents.js";

/**
 * `findImages` is called when a parent must be searched for, at most once for each folder of images; `allowDirs` are
 * searched, too.
 */
export type ChainOptions = ImageOptions;

export interface Chain {
  /** From the image that was named (the top) to the base. */
  readonly layers: readonly Layer[];
  /** The disk; it has the name of the named image's file. */
  readonly source: BlockSource;
  /** Sentences about what is unusual or damaged but does not prevent reading: in the layers, the registry and the chain. */
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
   * Returns the chain of the image at `path`; `state` is the id of an internal snapshot.
   * @throws {DiskError} if an image, or a parent, cannot be opened; other chains are not affected.
   */
  chain(path: string, state?: string): Promise<Chain>;
  close(): Promise<void>;
}

/**
 * Opens the image at `path` and all that it is built on, read-only. An image that others are built on shows the disk as it
 * was when the first of them was made.
 * @param state the id of an internal snapshot of the image; its current state by default.
 * @throws {DiskError} if an image, or a parent, cannot be opened; then nothing is left open.
 */
export async function openChain(
  path: string,
  options: ChainOptions = {},
  state?: string,
): Promise<OpenChain> {
  const images = openImages(options);
  try {
    return { ...(await images.chain(path, state)), close: () => images.close() };
  } catch (error) {
    await images.close();
    throw error;
  }
}

/** Images of one chain. VirtualBox makes at most 250 snapshots of a machine; the rest is for chains made by hand. */
const DEPTH_LIMIT = 1000;

/** Returns a set of images in which none is open yet. */
export function openImages(options: ChainOptions = {}): Images {
  const images = sharedImages(options);
  /** By UUID and modification, of those that have both and were found to be a parent. */
  const exact = new Map<string, Image>();
  const parents = new Map<Layer, KnownParent>();
  /** By the folder of the image whose parents were searched for. */
  const searches = new Map<string, Search>();
  let isClosed = false;
  // Chains are opened one after the other: two at the same time would open their common images twice.
  let last: Promise<unknown> = Promise.resolve();

  /** Returns the parent of `child`; undefined for the base of a chain. */
  async function parentOf(child: Layer, search: () => Promise<Search>): Promise<KnownParent | undefined> {
    const { image, parent, parentState } = child;
    if (parentState !== undefined) return { parent: await images.layer(image, parentState), warnings: [] };
    if (parent === undefined) return undefined;
    const known = parents.get(child);
    if (known !== undefined) return known;
    const shared = exact.get(keyOf(parent.identity) ?? "");
    const found =
      shared !== undefined && isExactly(shared, parent)
        ? { image: shared, warnings: [] }
        : await findParent(child, await search());
    try {
      const layer = await images.layer(found.image, parent.state);
      const known = { parent: layer, warnings: found.warnings };
      parents.set(child, known);
      return known;
    } catch (error) {
      throw withContext(`parent of ${image.files[0].name}`, error);
    }
  }

  async function findParent(child: Layer, { parentSearch }: Search) {
    const found = await parentSearch.open(child);
    const image = await images.share(found);
    const key = keyOf(image.identity);
    // Only what was found as a parent: an image that the user names may be a copy with the same UUIDs.
    if (key !== undefined && !exact.has(key)) exact.set(key, image);
    return { image, warnings: found.warnings };
  }

  /** Returns the search for the parents of `leaf`: an earlier one, if it began in the same folder for the same machine. */
  async function searchFor({ image }: Layer): Promise<Search> {
    const path = await pathOf(image.files[0]);
    const known = searches.get(dirname(path));
    if (known !== undefined && (known.registered.size === 0 || known.registered.has(path))) return known;
    const search = await searchFrom(image, path, options);
    searches.set(dirname(path), search);
    return search;
  }

  async function open(path: string, state?: string): Promise<Chain> {
    if (isClosed) throw new HostError({ file: path, thing: "the disk is closed" }, "EBADF");
    const leaf = await images.layer(await images.open(path), state);
    const chain = [leaf];
    const warnings = [...leaf.warnings];
    let searching: Promise<Search> | undefined;
    const search = (): Promise<Search> =>
      (searching ??= searchFor(leaf).then((search) => {
        warnings.push(...search.warnings);
        return search;
      }));
    for (let known = await parentOf(leaf, search); known !== undefined;) {
      const { parent, warnings: ofChoice } = known;
      checkLink(chain, parent);
      chain.push(parent);
      warnings.push(...ofChoice, ...parent.warnings);
      known = await parentOf(parent, search);
    }
    return { layers: chain, source: overlay(chain, basename(path)), warnings };
  }

  /** Opens a chain, and closes the images that were looked at but are no part of it. */
  async function openAndRelease(path: string, state?: string): Promise<Chain> {
    const isReused = searches.size > 0;
    try {
      return await open(path, state);
    } catch (error) {
      await releaseAll();
      searches.clear();
      // A file may have been added after an earlier chain searched its folder.
      if (isReused && error instanceof MissingError) return await open(path, state);
      throw error;
    } finally {
      await releaseAll();
    }
  }

  async function releaseAll(): Promise<void> {
    await settleAll([...searches.values()].map(({ parentSearch }) => parentSearch.release()));
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
      await images.close();
    },
  };
}

/** What is known about a layer's parent. */
interface KnownParent {
  readonly parent: Layer;
  /** What the user should know about how it was chosen. */
  readonly warnings: readonly string[];
}

interface Search {
  readonly parentSearch: ParentSearch;
  /** The images that the machine has registered; empty if no machine is known. */
  readonly registered: ReadonlySet<string>;
  /** What could not be read of the machine's settings. */
  readonly warnings: readonly string[];
}

/** Begins the search for the parents of `leaf`, which lies at `path`. */
async function searchFrom(leaf: Image, path: string, options: ChainOptions): Promise<Search> {
  const { allowDirs = [], findImages, formats = allFormats } = options;
  const uuid = leaf.identity?.uuid;
  const {
    images = [],
    folders = [],
    warnings = [],
  } = (await findImages?.({ path, ...(uuid !== undefined && { uuid }) })) ?? {};
  const roots = [...homeOf(path), ...folders, ...allowDirs];
  const files = images.map((image) => image.path);
  const gate = await openGate(roots, { files });
  return {
    parentSearch: await parentSearch({ gate, roots, images, formats }),
    registered: new Set(files),
    warnings,
  };
}

/** Returns a key for one state of one image; undefined if it has no UUID or no modification. */
function keyOf(identity: Identity | undefined): string | undefined {
  const { uuid, modification } = identity ?? {};
  return uuid === undefined || modification === undefined ? undefined : `${uuid} ${modification}`;
}

function isExactly(image: Image, reference: ParentReference): boolean {
  const { format = image.format } = reference;
  return image.format === format && reference.matches(factsOf(image)) === "same";
}

/** @throws {DiskError} if `parent` cannot be the next layer of `chain`. */
function checkLink(chain: readonly Layer[], parent: Layer): void {
  const file = chain.at(-1)!.image.files[0].name;
  if (chain.length >= DEPTH_LIMIT) {
    const thing = "the chain of images that this one is built on";
    const expected = `${DEPTH_LIMIT} at most`;
    throw new UnsupportedError({ file, thing, found: "longer still", expected });
  }
  if (chain.includes(parent)) {
    const thing = `its parent ${parent.image.files[0].name} is itself built on this image: the chain is a loop`;
    throw new CorruptError({ file, thing });
  }
}

/** A base with all that the mutations need to know of it. */
import { DiskError } from "../../../src/errors.js";
import type { Fields, Struct } from "../../../src/bytes/struct.js";
import type { BlockSource } from "../../../src/extent/extent.js";
import { mapAll } from "../../../src/extent/mapping.js";
import type { NodeTree } from "../../../src/filesystem/filesystem.js";
import { newProbe } from "../probe.js";
import { Random } from "../random.js";
import { loadBase, type Base } from "./bases.js";
import { regionsOf, type Region } from "./checksums.js";
import { digestOf, type Digest } from "./digest.js";
import { examine, openImages } from "./examine.js";
import { recordPlaces, type Place } from "./places.js";
import { memoryStorage } from "./storage.js";
import { listEntries } from "../../../src/filesystem/entries.js";

/** Bytes of a part of a file that is looked at as a whole: it is worth a change unless it is zero, or a file's contents. */
const PART = 16;

export interface Prepared extends Base {
  /** Copies of the files that are never changed. */
  readonly sound: readonly Buffer[];
  /** By the name of their structure. */
  readonly places: ReadonlyMap<string, readonly Place[]>;
  /** Places of metadata that are not zero: a file's number and an offset. */
  readonly hot: readonly (readonly [file: number, offset: number])[];
  /** What checksums cover, where the base is one raw image, or one VHD. */
  readonly regions: readonly Region[];
  /** What the sound image shows, where there are regions. */
  readonly digest?: Digest;
}

export async function prepare(name: string, structs: readonly Struct<Fields>[]): Promise<Prepared> {
  const base = loadBase(name);
  const { files } = base;
  const open = () =>
    openImages(
      files.map((bytes, file) => memoryStorage(bytes, `${name}-${file}`, file)),
      new Random(1),
    );
  const view = await open();
  const places = await recordPlaces(structs, files, async () =>
    examine(await open(), new Random(1), newProbe({ limit: Infinity })),
  );
  const { image, parent } = view.layers[0]!;
  const isAlone = files.length === 1 && ["raw", "vhd"].includes(image.format) && parent === undefined;
  const contents = isAlone
    ? await contentsOf(
        files[0]!,
        view.parts.flatMap(({ fileSystem }) => fileSystem ?? []),
      )
    : undefined;
  const regions = isAlone ? regionsOf(files[0]!) : [];
  return {
    ...base,
    sound: files.map((bytes) => Buffer.from(bytes)),
    places: byStructure(places),
    hot: files.flatMap((bytes, file) => hotParts(bytes, contents).map((offset) => [file, offset] as const)),
    regions,
    ...(regions.length > 0 && { digest: await digestOf(view, newProbe({ limit: Infinity })) }),
  };
}

function byStructure(places: readonly Place[]): Map<string, Place[]> {
  const groups = new Map<string, Place[]>();
  for (const place of places) {
    const group = groups.get(place.struct.name);
    if (group === undefined) groups.set(place.struct.name, [place]);
    else group.push(place);
  }
  return groups;
}

/** For each part of the image, whether a file has its contents there. */
async function contentsOf(image: Buffer, trees: readonly NodeTree[]): Promise<Uint8Array> {
  const isContents = new Uint8Array(Math.ceil(image.length / PART));
  const add = async (source: BlockSource): Promise<void> => {
    for (const extent of await mapAll(source, 0, source.size))
      if (extent.kind === "stored")
        isContents.fill(
          1,
          Math.floor(extent.offset / PART),
          Math.ceil((extent.offset + extent.length) / PART),
        );
  };
  for (const tree of trees) {
    const pending = [tree.root];
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      for (let cookie = 0; ;) {
        const batch = await listEntries(tree, id, cookie);
        if (batch.length === 0) break;
        for (const entry of batch) {
          const { type } = await tree.attributes(entry.id);
          if (type === "directory") pending.push(entry.id);
          if (type === "file") await tree.open(entry.id).then(add).catch(ignoreDiskError);
        }
        cookie = batch.at(-1)!.cookie;
      }
    }
  }
  return isContents;
}

function ignoreDiskError(error: unknown): void {
  if (!(error instanceof DiskError)) throw error;
}

function hotParts(bytes: Buffer, contents: Uint8Array | undefined): number[] {
  const hot: number[] = [];
  const zeros = Buffer.alloc(PART);
  for (let at = 0; at + PART <= bytes.length; at += PART)
    if (contents?.[at / PART] !== 1 && bytes.compare(zeros, 0, PART, at, at + PART) !== 0) hot.push(at);
  return hot;
}

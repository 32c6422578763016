/**
 * NTFS: Windows' own file system.
 *
 * - Here: the boot sector (boot.ts, open.ts), what all parts need (medium.ts), the state in which the guest left the volume
 *   (state.ts), node numbers (ids.ts), and the driver.
 * - mft/: the file table (mft.ts, mft-runs.ts), its records (record.ts, fixup.ts), their attributes (attribute.ts,
 *   attribute-list.ts, file.ts), and where an attribute's clusters lie (run-list.ts).
 * - data/: the contents of attributes (contents.ts, clusters.ts) and of files (data.ts), compressed ones too
 *   (compressed.ts, wof.ts).
 * - index/: B-trees (node.ts, btree.ts, block-bitmap.ts, search.ts), and the directories in them (directory.ts, listing.ts).
 * - posix/: a file as stat(2) shows it (stat.ts, fast-stat.ts), links and special files (reparse.ts, links.ts,
 *   special.ts), extended attributes (extended-attributes.ts, security.ts).
 *
 * Source: Microsoft's [MS-FSCC]; the structures as ntfs-3g 2022.10.3 names them in layout.h.
 *
 * Not done: the journal is not replayed (a warning says so); encrypted (EFS) contents are an error, and so are those parts of
 * files that were deduplicated, or moved to a cloud or a WIM image; the parts that are on the volume are shown.
 */
import { LRUCache } from "lru-cache";
import { utf16FromName } from "../../bytes/utf16.js";
import { CorruptError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { damagedEntryPosition } from "../damaged-entry.js";
import type { Attributes, FileSystem, FileSystemDriver, NodeId, Usage } from "../filesystem.js";
import { residentValue, Type } from "./mft/attribute.js";
import { contentsOf } from "./data/contents.js";
import { dataOf } from "./data/data.js";
import { directoriesOf, ROOT_NUMBER, type Reference } from "./index/directory.js";
import { factsOf } from "./facts.js";
import { fileAt, type Attribute } from "./mft/file.js";
import { compareNames, FileName } from "./index/file-name.js";
import { nodeIds } from "./ids.js";
import { NOWHERE, pageReader } from "./index/listing.js";
import { linksOf } from "./posix/links.js";
import type { Medium, NtfsFile } from "./medium.js";
import { openMedium, openMediumByBackup, type Opened } from "./open.js";
import { fastAttributes } from "./posix/fast-stat.js";
import { descriptorsOf } from "./posix/security.js";
import { specialOf } from "./posix/special.js";
import { StandardInformation, standardInformation } from "./posix/standard-information.js";
import { attributesOf, streamAttributes } from "./posix/stat.js";
import { stateOf } from "./state.js";
import { readUpCase } from "./index/upcase.js";
import { usageOf } from "./usage.js";
import { extendedAttributesOf, streamsOf } from "./posix/extended-attributes.js";

export const ntfsDriver: FileSystemDriver = {
  name: "ntfs",
  async open(volume, options = {}) {
    return fileSystemOn(await openMedium(volume, options));
  },
};

/** For volumes that no other driver opens: NTFS without a boot sector, by the copy at the end of the volume. */
export const ntfsBackupDriver: FileSystemDriver = {
  name: "ntfs by its backup boot sector",
  async open(volume, options = {}) {
    return fileSystemOn(await openMediumByBackup(volume, options));
  },
};

/** Attributes that are cached, of files whose attributes were requested one by one. */
const ATTRIBUTES_COUNT = 2 ** 12;

async function fileSystemOn(opened: Opened | undefined): Promise<FileSystem | undefined> {
  if (opened === undefined) return undefined;
  const { medium, warnings } = opened;
  const { upCase, warning } = await readUpCase(medium);
  if (warning !== undefined) warnings.push(warning);
  const directories = directoriesOf(medium, upCase);
  const state = await stateOf(medium, directories);
  const ids = nodeIds(medium.mft.count);
  const links = linksOf(medium, directories);
  const readPage = pageReader(medium, directories, ids);
  const xattrs = extendedAttributesOf(medium, directories, descriptorsOf(medium));
  const known = new LRUCache<number, Attributes>({ max: ATTRIBUTES_COUNT });
  let usage: Promise<Usage> | undefined;

  async function attributesAt(number: number): Promise<Attributes> {
    const cached = known.get(number);
    if (cached !== undefined) return cached;
    const file = await fileAt(medium, number);
    const attributes =
      fastAttributes(medium, file.record.bytes, number) ?? (await attributesOf(medium, file, links));
    known.set(number, attributes);
    return attributes;
  }

  /** The file of node `id`, and its stream if the node is one. */
  async function nodeAt(id: NodeId): Promise<{ file: NtfsFile; stream?: Attribute }> {
    const place = ids.placeOf(id);
    const file = await fileAt(medium, place.number);
    if (place.kind === "stale" && place.number === NOWHERE) throw nowhereError(medium);
    if (place.kind === "stale") throw staleError(medium, file);
    if (place.kind === "file") return { file };
    const stream = (await streamsOf(medium, file))[place.index];
    if (stream === undefined) throw kindError(medium, file, "without that stream", "a file with it");
    return { file, stream };
  }

  async function attributesOfStream(id: NodeId): Promise<Attributes> {
    const { file, stream } = await nodeAt(id);
    return streamAttributes(medium, await attributesAt(file.record.number), stream!.first, id);
  }

  /** The node of the file to which `reference` leads. */
  async function idOf({ number, sequence }: Reference): Promise<NodeId> {
    const { record } = await fileAt(medium, number);
    return sequence === 0 || sequence === record.sequence ? ids.file(number) : ids.stale(number);
  }

  /** The node of stream `name` of file `number`; that of the file itself for "::$DATA". */
  async function streamId(number: number, name: string): Promise<NodeId | undefined> {
    const wanted = name.replace(/:\$DATA$/i, "");
    const file = await fileAt(medium, number);
    if (wanted === "" && name !== "") return file.record.isDirectory ? undefined : ids.file(number);
    const names = (await streamsOf(medium, file)).map((stream) => stream.name);
    let index = names.indexOf(wanted);
    if (index < 0 && medium.options.ignoreCase === true) {
      const units = Buffer.from(wanted, "utf16le");
      index = names.findIndex((one) => compareNames(upCase, Buffer.from(one, "utf16le"), units) === 0);
    }
    return index < 0 ? undefined : ids.stream(number, index);
  }

  /** The node that "file:stream" in directory `number` is; the file's name is empty for the directory itself. */
  async function findStream(number: number, units: Buffer): Promise<NodeId | undefined> {
    const name = units.toString("utf16le");
    const colon = name.indexOf(":");
    if (colon < 0) return undefined;
    if (colon === 0) return streamId(number, name.slice(1));
    const { ignoreCase = false } = medium.options;
    const owner = await directories.find(number, Buffer.from(name.slice(0, colon), "utf16le"), ignoreCase);
    return owner && streamId(owner.number, name.slice(colon + 1));
  }

  async function sourceOf(id: NodeId): Promise<BlockSource> {
    const { file, stream } = await nodeAt(id);
    if (stream !== undefined) return contentsOf(medium, stream);
    if (file.record.isDirectory) throw kindError(medium, file, "a directory", "a file");
    return dataOf(medium, file);
  }

  return {
    nodeLimit: ids.limit,
    root: ROOT_NUMBER,
    facts: factsOf(medium, state, warnings),
    async attributes(id) {
      const place = ids.placeOf(id);
      return place.kind === "file" ? attributesAt(place.number) : attributesOfStream(id);
    },
    async lookup(id, name, signal) {
      const units = utf16FromName(name);
      const place = ids.placeOf(id);
      if (units === undefined || place.kind !== "file") return undefined;
      const ignoreCase = medium.options.ignoreCase === true;
      const found = await directories.find(place.number, units, ignoreCase, signal);
      if (found !== undefined) return idOf(found);
      const position = damagedEntryPosition(name);
      const damage = position === undefined ? undefined : await directories.damageAt(place.number, position);
      if (damage !== undefined) throw damage;
      return findStream(place.number, units);
    },
    async page(id, cookie, options) {
      const { file } = await nodeAt(id);
      return readPage(file.record.number, cookie, options);
    },
    parentInode(id) {
      const place = ids.placeOf(id);
      return place.kind === "file" ? parentOf(medium, place.number) : undefined;
    },
    async readLink(id) {
      const { file } = await nodeAt(id);
      const information = standardInformation(file.record, medium.volume.name);
      const flags = information.readUInt32LE(StandardInformation.fields.flags.offset);
      const special = await specialOf(medium, file, flags);
      const target = special && (await links.targetOf(file, special));
      if (target === undefined) throw kindError(medium, file, "no link", "a link");
      return target;
    },
    open: sourceOf,
    async extendedAttributes(id) {
      const { file, stream } = await nodeAt(id);
      return stream === undefined ? xattrs.all(file) : new Map<string, Buffer>();
    },
    async extendedAttribute(id, name) {
      const { file, stream } = await nodeAt(id);
      return stream === undefined ? xattrs.one(file, name) : undefined;
    },
    async usage() {
      usage ??= usageOf(medium).catch((error: unknown) => {
        usage = undefined; // a failure of the host may be temporary
        throw error;
      });
      return usage;
    },
  };
}

/** The directory of file `number` according to its own name, if its record is in memory. */
function parentOf({ files, volume }: Medium, number: number): number | undefined {
  const record = files.get(number)?.record;
  const name = record?.attributes.find(({ type, isResident }) => type === Type.fileName && isResident);
  if (name === undefined) return undefined;
  const { parentLow, parentHigh } = FileName.view(residentValue(name, volume.name));
  return parentLow + parentHigh * 2 ** 32;
}

function nowhereError({ volume, mft }: Medium): CorruptError {
  const thing = "the number of the file record that a directory's entry names";
  return new CorruptError({ file: volume.name, thing, found: `${mft.count} or more`, expected: "less" });
}

function staleError(medium: Medium, { record }: NtfsFile): CorruptError {
  const found = `in its use number ${record.sequence}`;
  return kindErrorOf(
    medium,
    record.offset,
    `the file at record ${record.number}`,
    found,
    "in that which the directory's entry names",
  );
}

function kindError(medium: Medium, { record }: NtfsFile, found: string, expected: string): CorruptError {
  return kindErrorOf(medium, record.offset, `file record ${record.number}`, found, expected);
}

function kindErrorOf(
  medium: Medium,
  offset: number,
  thing: string,
  found: string,
  expected: string,
): CorruptError {
  return new CorruptError({ file: medium.volume.name, offset, thing, found, expected });
}

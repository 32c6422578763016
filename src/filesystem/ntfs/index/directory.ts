/**
 * Directories: lists names, and finds a name. A listing reads the blocks in the order in which they lie, not in that of the
 * tree: each is read once, a position in a block is a cookie that keeps its meaning, and damage hides one block at most.
 */
import { LRUCache } from "lru-cache";
import { readU16le, readU32le } from "../../../bytes/struct.js";
import { CorruptError, DiskError } from "../../../errors.js";
import type { StopSignal } from "../../../extent/time-slice.js";
import { openIndex, type Index } from "./btree.js";
import { fileAt } from "../mft/file.js";
import { compareNames, FileName, nameIn, Namespace, type UpCase } from "./file-name.js";
import type { Medium } from "../medium.js";
import { IndexNames } from "./names.js";
import { childOf, IndexEntry, isLast, keyOf, nextEntry, type IndexNode } from "./node.js";
import { search } from "./search.js";

/** The reference of a directory to a file. */
export interface Reference {
  readonly number: number;
  /** The sequence number of the file's record; 0 if the directory does not state it. */
  readonly sequence: number;
}

/** The file that was found, with its name in UTF-16. */
export interface Match extends Reference {
  readonly units: Buffer;
}

/** Some of a directory's names. */
export interface SomeNames {
  readonly names: IndexNames;
  /** Whether it is known that none follow. */
  readonly isEnd: boolean;
}

export interface Directories {
  /**
   * Some names of directory `number` after `cookie`; none at its end. Short names are left out.
   * @param limit how many are needed, if only a few are.
   * @throws {Interrupted} once `signal` is aborted.
   */
  list(number: number, cookie: number, limit?: number, signal?: StopSignal): Promise<SomeNames>;
  /**
   * The file with the name `units`, in UTF-16, in directory `number`; short names are found too.
   * @throws {Interrupted} once `signal` is aborted.
   */
  find(number: number, units: Buffer, ignoreCase: boolean, signal?: StopSignal): Promise<Match | undefined>;
  /** The error of the entry at `position` of directory `number`; undefined if there is no damaged entry. */
  damageAt(number: number, position: number): Promise<DiskError | undefined>;
}

export const ROOT_NUMBER = 5;

/** The index of a directory's names. */
const NAMES_INDEX = "$I30";

/**
 * Names of a page: reading stops after the blocks that reach them. They are many, since the records of a page are read in
 * the order of the file table, over which the records of a large directory are scattered.
 */
const BATCH_SIZE = 2 ** 14;

/** Cookies of names in blocks begin here; those in the root are lower. Roots are smaller than records: 64 KiB. */
const FIRST_BLOCK_COOKIE = 2 ** 20;

/** Directories whose indexes are cached: each takes about as much memory as its record and a part of its bitmap. */
const INDEX_COUNT = 256;

/** Directories whose damage is remembered while they are being listed. */
const DAMAGED_COUNT = 1000;

/** Damage that ends the listing of a directory, which several readers may list at the same time. */
interface Damage {
  /** The cookie of the damaged node's first byte. */
  readonly origin: number;
  readonly error: DiskError;
}

export function directoriesOf(medium: Medium, upCase: UpCase): Directories {
  const indexes = new LRUCache<number, Index>({ max: INDEX_COUNT });
  const damaged = new LRUCache<number, Damage>({ max: DAMAGED_COUNT });

  async function indexAt(number: number): Promise<Index> {
    const known = indexes.get(number);
    if (known !== undefined) return known;
    const directory = await fileAt(medium, number);
    const { isDirectory, offset } = directory.record;
    const index = isDirectory ? await openIndex(medium, directory, NAMES_INDEX) : undefined;
    if (index === undefined) {
      const found = isDirectory ? "without an index of names" : "not a directory";
      const thing = `file record ${number}`;
      throw new CorruptError({ file: medium.volume.name, offset, thing, found, expected: "a directory" });
    }
    indexes.set(number, index);
    return index;
  }

  /**
   * Calls `visit` for the entries of `node`, with the position of each and of the next.
   * @returns the error of the entry at which it stops, if that is damaged.
   */
  async function entriesOf(
    index: Index,
    node: IndexNode,
    visit: (at: number, next: number) => void,
  ): Promise<DiskError | undefined> {
    let lost: DiskError | undefined;
    try {
      for (let at = node.first; ;) {
        const next = nextEntry(node, at);
        const child = childOf(node, at, next);
        if (child !== undefined) {
          // The names in a block that the bitmap has as free would be missing without an error.
          const number = index.numberOf(child);
          const isInUse = index.bitmap.peek(number) ?? (await index.bitmap.isInUse(number));
          if (!isInUse) lost ??= freeError(node, at);
        }
        if (isLast(node, at)) return lost;
        visit(at, next);
        at = next;
      }
    } catch (error) {
      if (error instanceof DiskError) return error;
      throw error;
    }
  }

  /** The node that contains `position` of a directory, and the position of its first byte. */
  async function nodeWith(
    index: Index,
    position: number,
  ): Promise<{ node: IndexNode; origin: number } | undefined> {
    if (position < FIRST_BLOCK_COOKIE) return { node: index.root, origin: 0 };
    const wanted = Math.floor((position - FIRST_BLOCK_COOKIE) / index.blockSize);
    for await (const { number, nodes } of index.blocksFrom(wanted)) {
      const [node] = nodes;
      if (number !== wanted || node === undefined || node instanceof DiskError) return undefined;
      return { node, origin: FIRST_BLOCK_COOKIE + wanted * index.blockSize };
    }
    return undefined;
  }

  /** Finds a name by reading all of the directory, whose tree is damaged. */
  async function scan(
    index: Index,
    units: Buffer,
    ignoreCase: boolean,
    signal?: StopSignal,
  ): Promise<Match | undefined> {
    const best: { exact?: Match; similar?: Match; damage?: DiskError } = {};
    const inNode = async (node: IndexNode | DiskError): Promise<boolean> => {
      const error =
        node instanceof DiskError
          ? node
          : await entriesOf(index, node, (at) => {
              const name = nameIn(keyOf(node, at));
              if (name === undefined) return;
              if (name.equals(units)) best.exact ??= { ...referenceAt(node, at), units };
              else if (ignoreCase && compareNames(upCase, name, units) === 0)
                best.similar ??= { ...referenceAt(node, at), units: Buffer.from(name) };
            });
      if (error !== undefined) best.damage ??= error;
      return best.exact !== undefined;
    };
    if (await inNode(index.root)) return best.exact;
    for await (const { nodes } of index.blocksFrom(0, undefined, signal))
      for (const node of nodes) if (await inNode(node)) return best.exact;
    if (best.similar === undefined && best.damage !== undefined) throw best.damage;
    return best.similar;
  }

  return {
    async list(number, cookie, limit = BATCH_SIZE, signal) {
      const index = await indexAt(number);
      const names = new IndexNames();
      const note = (origin: number, error: DiskError | undefined): void => {
        if (error !== undefined) damaged.set(number, { origin, error });
        // What the host could not read may be readable now.
        else if (damaged.peek(number)?.origin === origin) damaged.delete(number);
      };
      const add = async (node: IndexNode, origin: number): Promise<void> => {
        const error = await entriesOf(index, node, (at, next) => {
          if (origin + next <= cookie) return;
          const length = shownLength(medium, node, at);
          if (length instanceof DiskError) names.addDamaged(origin + at, origin + next, length);
          if (length instanceof DiskError || length === 0) return;
          const start = at + NAME_OFFSET;
          names.add(
            numberAt(node, at),
            sequenceAt(node, at),
            origin + next,
            node.bytes,
            start,
            start + length,
          );
        });
        note(origin, error);
      };
      if (cookie < FIRST_BLOCK_COOKIE) await add(index.root, 0);
      const first = Math.max(0, Math.floor((cookie - FIRST_BLOCK_COOKIE) / index.blockSize));
      let isEnd = true;
      for await (const row of index.blocksFrom(first, limit < BATCH_SIZE ? 1 : undefined, signal)) {
        if (names.page.count >= limit) {
          isEnd = false;
          break;
        }
        for (let i = 0; i < row.nodes.length; i++) {
          const node = row.nodes[i]!;
          const origin = FIRST_BLOCK_COOKIE + (row.number + i) * index.blockSize;
          if (node instanceof DiskError) note(origin, node);
          else await add(node, origin);
        }
      }
      // The names behind the damage come first: only the end says that some are missing.
      const damage = damaged.get(number)?.error;
      if (names.page.count === 0 && damage !== undefined) throw damage;
      return { names, isEnd: isEnd && damage === undefined };
    },

    async find(number, units, ignoreCase, signal) {
      const index = await indexAt(number);
      const nameOf = (key: Buffer): Buffer => nameIn(key) ?? key;
      let exact: Match | undefined;
      let similar: Match | undefined;
      try {
        await search(
          index,
          (key) => compareNames(upCase, nameOf(key), units),
          ({ node, at }) => {
            const name = nameIn(keyOf(node, at));
            if (name === undefined) return false;
            if (name.equals(units)) exact = { ...referenceAt(node, at), units };
            else similar ??= { ...referenceAt(node, at), units: Buffer.from(name) };
            return exact !== undefined;
          },
          (a, b) => compareNames(upCase, nameOf(a), nameOf(b)),
        );
      } catch (error) {
        if (!(error instanceof CorruptError)) throw error;
        return scan(index, units, ignoreCase, signal);
      }
      return exact ?? (ignoreCase ? similar : undefined);
    },

    async damageAt(number, position) {
      const index = await indexAt(number);
      const place = await nodeWith(index, position);
      let problem: DiskError | undefined;
      if (place === undefined) return problem;
      await entriesOf(index, place.node, (at) => {
        const length = place.origin + at === position ? shownLength(medium, place.node, at) : 0;
        if (length instanceof DiskError) problem = length;
      });
      return problem;
    },
  };
}

function referenceAt(node: IndexNode, at: number): Reference {
  return { number: numberAt(node, at), sequence: sequenceAt(node, at) };
}

function numberAt({ bytes }: IndexNode, at: number): number {
  const { fileLow, fileHigh } = IndexEntry.fields;
  return readU32le(bytes, at + fileLow.offset) + readU16le(bytes, at + fileHigh.offset) * 2 ** 32;
}

function sequenceAt({ bytes }: IndexNode, at: number): number {
  return readU16le(bytes, at + IndexEntry.fields.sequence.offset);
}

/** Where the name begins in an entry. */
const NAME_OFFSET = IndexEntry.size + FileName.size;

/** Bytes of the name of the entry at `at`; 0 if it is not listed; its error if it has no name. */
function shownLength(medium: Medium, node: IndexNode, at: number): number | CorruptError {
  const { bytes } = node;
  const keyLength = readU16le(bytes, at + IndexEntry.fields.keyLength.offset);
  const length = 2 * (bytes[at + IndexEntry.size + FileName.fields.nameLength.offset] ?? 0);
  if (length === 0 || FileName.size + length > keyLength) {
    const found = `a key of ${keyLength} bytes`;
    const thing = `the entry at ${at} of ${node.name}`;
    return new CorruptError({ file: node.file, thing, found, expected: "one with a name" });
  }
  if (bytes[at + IndexEntry.size + FileName.fields.namespace.offset] === Namespace.dos) return 0;
  const number = numberAt(node, at);
  // The root names itself "."; the file system's own files come before all others.
  if (number === ROOT_NUMBER || (number < FIRST_USER_NUMBER && medium.options.systemFiles !== true)) return 0;
  return length;
}

/** The records before this one are the file system's own. Source: ntfs-3g layout.h, FILE_first_user; Windows keeps 24. */
const FIRST_USER_NUMBER = 24;

function freeError(node: IndexNode, at: number): CorruptError {
  return new CorruptError({
    file: node.file,
    thing: `the child of the entry at ${at} of ${node.name}`,
    found: "free in the index's bitmap",
    expected: "in use; the names in it are not listed",
  });
}

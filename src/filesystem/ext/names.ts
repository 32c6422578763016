/**
 * Finding a name in a directory. The first look-up in a directory reads all of it and notes a hash and a
 * position for each name; later ones read one entry. That serves directories with and without a hash tree on
 * disk, whatever its hash, and damaged ones as far as they can be read.
 */
import { isUtf8 } from "node:buffer";
import { LRUCache } from "lru-cache";
import type { DiskError } from "../../errors.js";
import { entriesOf, partsOf, partWith } from "./directory.js";
import { entryAt } from "./entry.js";
import { InodeFlag, type Inode } from "./inode.js";
import type { Medium } from "./medium.js";
import { unreadableName } from "./encrypted.js";

/** Bytes of indexes that one file system keeps: some four million names. */
const INDEX_CACHE_BYTES = 64 * 2 ** 20;

/** The largest index of one directory. */
const INDEX_LIMIT = INDEX_CACHE_BYTES;
/** Names with one hash that a scan looks at: by chance there are a few. */
const SCAN_LIMIT = 1000;

/** Entries lie at multiples of four bytes; a position is kept as a number of them. */
const WORD = 4;
/** Two words for each place of an index: a hash, and a position plus one word; 0 where the place is free. */
const PLACE_WORDS = 2;
const SMALLEST_PLACE_COUNT = 16;

interface Index {
  /** Open addressing; the number of places is a power of two, at most two thirds of them taken. */
  readonly places: Uint32Array;
  /** Too many names to index: each look-up reads the directory. */
  readonly isPartial: boolean;
  /** What kept some names from being read. */
  readonly damage?: DiskError;
}

export interface Names {
  /**
   * The inode that `name` in directory `inode` belongs to.
   * @throws {DiskError} where it is not found, but a part of the directory is damaged.
   */
  find(inode: Inode, name: Buffer): Promise<number | undefined>;
}

export function namesOf(medium: Medium): Names {
  const indexes = new LRUCache<number, Index, Inode>({
    maxSize: INDEX_CACHE_BYTES,
    sizeCalculation: ({ places }) => places.byteLength,
    fetchMethod: (_number, _stale, { context }) => buildIndex(context),
  });

  async function buildIndex(inode: Inode): Promise<Index> {
    let damage: DiskError | undefined;
    let places = new Uint32Array(SMALLEST_PLACE_COUNT * PLACE_WORDS);
    let count = 0;
    for await (const part of partsOf(medium, inode, 0)) {
      const error = entriesOf(medium, inode, part, ({ name, position }) => {
        if (++count * PLACE_WORDS * 1.5 > places.length) places = grown(places);
        put(places, hashOf(keyOf(inode, name)), position / WORD + 1);
      });
      damage ??= error;
      if (places.byteLength > INDEX_LIMIT) return { places: new Uint32Array(PLACE_WORDS), isPartial: true };
    }
    return { places, isPartial: false, ...(damage && { damage }) };
  }

  /** The positions of the names whose hash is `hash`, in a directory that is too large for an index. */
  async function scan(
    inode: Inode,
    hash: number,
  ): Promise<{ found: number[]; damage: DiskError | undefined }> {
    const found: number[] = [];
    let damage: DiskError | undefined;
    for await (const part of partsOf(medium, inode, 0)) {
      const error = entriesOf(medium, inode, part, ({ name, position }) => {
        if (hashOf(keyOf(inode, name)) === hash && found.length < SCAN_LIMIT) found.push(position);
      });
      damage ??= error;
    }
    return { found, damage };
  }

  return {
    async find(inode, name) {
      const index = indexes.get(inode.number) ?? (await indexes.fetch(inode.number, { context: inode }))!;
      const key = keyOf(inode, name);
      const hash = hashOf(key);
      const { found: candidates, damage } = index.isPartial
        ? await scan(inode, hash)
        : { found: positions(index.places, hash), damage: index.damage };
      const isEncrypted = (inode.flags & InodeFlag.encrypted) !== 0;
      let similar: number | undefined; // the same but for case
      for (const position of candidates) {
        const part = await partWith(medium, inode, position);
        const entry = part && entryAt(part, position);
        if (entry === undefined) continue;
        const shown = isEncrypted ? unreadableName(entry.name) : entry.name;
        if (shown.equals(name)) return entry.inode;
        if (keyOf(inode, shown).equals(key)) similar ??= entry.inode;
      }
      if (similar === undefined && damage !== undefined) throw damage;
      return similar;
    },
  };
}

/** What names of one directory are compared by: their bytes, or in a case-insensitive one what folds alike. */
function keyOf(inode: Inode, name: Buffer): Buffer {
  if ((inode.flags & InodeFlag.casefold) === 0 || !isUtf8(name)) return name;
  return Buffer.from(name.toString("utf8").normalize("NFKD").toLowerCase().normalize("NFKD"));
}

/** FNV-1a, 32 bits (RFC 9923). */
function hashOf(name: Buffer): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name[i]!, 0x01000193);
  return hash >>> 0;
}

function put(places: Uint32Array, hash: number, value: number): void {
  const mask = places.length / PLACE_WORDS - 1;
  let place = hash & mask;
  while (places[place * PLACE_WORDS + 1] !== 0) place = (place + 1) & mask;
  places[place * PLACE_WORDS] = hash;
  places[place * PLACE_WORDS + 1] = value;
}

function grown(places: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(places.length * 2);
  for (let at = 0; at < places.length; at += PLACE_WORDS) {
    if (places[at + 1] !== 0) put(larger, places[at]!, places[at + 1]!);
  }
  return larger;
}

function* positions(places: Uint32Array, hash: number): Generator<number, void, void> {
  const mask = places.length / PLACE_WORDS - 1;
  for (let place = hash & mask; places[place * PLACE_WORDS + 1] !== 0; place = (place + 1) & mask) {
    if (places[place * PLACE_WORDS] === hash) yield (places[place * PLACE_WORDS + 1]! - 1) * WORD;
  }
}

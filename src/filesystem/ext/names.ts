/**
 * Finding a name in a directory. The first look-up in a directory reads all of it and notes a hash and a
 * position for each name; later ones read one entry. That serves directories with and without a hash tree on
 * disk, whatever its hash, and damaged ones as far as they can be read.
 */
import { isUtf8 } from "node:buffer";
import { HostError, type DiskError } from "../../errors.js";
import { loadingCache } from "../../extent/loading.js";
import { entriesOf, partsOf, partWith } from "./directory.js";
import { entryAt } from "./entry.js";
import { InodeFlag, type Inode } from "./inode.js";
import type { Medium } from "./medium.js";
import { unreadableName } from "./encrypted.js";

/** Bytes of indexes that one file system keeps: some one and a half million names. */
const INDEX_CACHE_BYTES = 24 * 2 ** 20;

/** The largest index of one directory. */
const INDEX_LIMIT = INDEX_CACHE_BYTES;
/** Places that are tried for one name. Chance does not make it so many; names that were made to collide do. */
const CHAIN_LIMIT = 1000;

/** Entries lie at multiples of four bytes; a position is kept as a number of them. */
const WORD = 4;
/** Two words for each place of an index: a hash, and a position plus one word; 0 where the place is free. */
const PLACE_WORDS = 2;
const SMALLEST_PLACE_COUNT = 16;

interface Index {
  /**
   * Open addressing; the number of places is a power of two, at most two thirds of them taken. Undefined where
   * there are too many names, or too much alike: each look-up reads the directory then.
   */
  readonly places: Uint32Array | undefined;
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
  const indexes = loadingCache<number, Index, Inode>(
    INDEX_CACHE_BYTES,
    ({ places }) => places?.byteLength ?? 1,
    (_number, inode) => buildIndex(inode),
  );

  async function buildIndex(inode: Inode): Promise<Index> {
    const index: { places: Uint32Array | undefined; damage?: DiskError } = {
      places: new Uint32Array(SMALLEST_PLACE_COUNT * PLACE_WORDS),
    };
    let count = 0;
    for await (const part of partsOf(medium, inode, 0)) {
      const damage = entriesOf(medium, inode, part, ({ name, position }) => {
        const { places } = index;
        const isFull = places !== undefined && ++count * PLACE_WORDS * 1.5 > places.length;
        index.places = put(isFull ? grown(places) : places, hashOf(keyOf(inode, name)), position / WORD + 1);
      });
      if (damage !== undefined) index.damage ??= damage;
      if (index.places === undefined) return index;
    }
    return index;
  }

  /** Finds `name` by reading all of the directory. */
  async function scan(inode: Inode, name: Buffer): Promise<number | undefined> {
    const key = keyOf(inode, name);
    let exact: number | undefined;
    let similar: number | undefined;
    let damage: DiskError | undefined;
    for await (const part of partsOf(medium, inode, 0)) {
      const error = entriesOf(medium, inode, part, (entry) => {
        if (entry.name.equals(name)) exact ??= entry.inode;
        else if (key !== name && keyOf(inode, entry.name).equals(key)) similar ??= entry.inode;
      });
      if (exact !== undefined) return exact;
      damage ??= error;
    }
    if (similar === undefined && damage !== undefined) throw damage;
    return similar;
  }

  return {
    async find(inode, name) {
      const index = await indexes.get(inode.number, inode);
      if (index.damage instanceof HostError) indexes.forget(inode.number); // the next look-up may have more luck
      if (index.places === undefined) return scan(inode, name);
      const key = keyOf(inode, name);
      const isEncrypted = (inode.flags & InodeFlag.encrypted) !== 0;
      let similar: number | undefined; // the same but for case
      for (const position of positions(index.places, hashOf(key))) {
        const part = await partWith(medium, inode, position);
        const entry = part && entryAt(part, position);
        if (entry === undefined) continue;
        const shown = isEncrypted ? unreadableName(entry.name) : entry.name;
        if (shown.equals(name)) return entry.inode;
        if (keyOf(inode, shown).equals(key)) similar ??= entry.inode;
      }
      if (similar === undefined && index.damage !== undefined) throw index.damage;
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

/** `places` with `value` noted in it; undefined where there is no free place within reach, or were no places. */
function put(places: Uint32Array | undefined, hash: number, value: number): Uint32Array | undefined {
  if (places === undefined) return undefined;
  const mask = places.length / PLACE_WORDS - 1;
  for (let step = 0; step < CHAIN_LIMIT; step++) {
    const at = ((hash + step) & mask) * PLACE_WORDS;
    if (places[at + 1] !== 0) continue;
    places[at] = hash;
    places[at + 1] = value;
    return places;
  }
  return undefined;
}

/** Twice the places, with the same names; undefined where that is too much. */
function grown(places: Uint32Array): Uint32Array | undefined {
  if (places.byteLength * 2 > INDEX_LIMIT) return undefined;
  let larger: Uint32Array | undefined = new Uint32Array(places.length * 2);
  for (let at = 0; at < places.length; at += PLACE_WORDS) {
    if (places[at + 1] !== 0) larger = put(larger, places[at]!, places[at + 1]!);
  }
  return larger;
}

function* positions(places: Uint32Array, hash: number): Generator<number, void, void> {
  const mask = places.length / PLACE_WORDS - 1;
  for (let place = hash & mask; places[place * PLACE_WORDS + 1] !== 0; place = (place + 1) & mask) {
    if (places[place * PLACE_WORDS] === hash) yield (places[place * PLACE_WORDS + 1]! - 1) * WORD;
  }
}

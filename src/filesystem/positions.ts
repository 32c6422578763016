/**
 * The positions of names in a directory, by hash: two words for each name. The reader of a directory reads it once, and then
 * finds each name with one read.
 */

/** Bytes that the index of one directory takes at most: about 1.5 million names. */
export const INDEX_LIMIT = 24 * 2 ** 20;

/** Places that are tried for one name. Only names that were made to collide need so many. */
const CHAIN_LIMIT = 1000;

/** Two words for each place: a hash, and a position plus 1; 0 where the place is free. */
const PLACE_WORDS = 2;
const SMALLEST_PLACE_COUNT = 16;

/** Open addressing; the number of places is a power of two, at most two thirds of them taken. */
export class PositionIndex {
  #places: Uint32Array | undefined = new Uint32Array(SMALLEST_PLACE_COUNT * PLACE_WORDS);
  #count = 0;

  /** False if there are too many names, or too many with similar hashes: each look-up then reads the directory. */
  get isUsable(): boolean {
    return this.#places !== undefined;
  }

  /** Bytes; at least 1. */
  get size(): number {
    return this.#places?.byteLength ?? 1;
  }

  /** @param position below 2^32 - 1. */
  add(hash: number, position: number): void {
    if (this.#places === undefined) return;
    const isFull = ++this.#count * PLACE_WORDS * 1.5 > this.#places.length;
    this.#places = put(isFull ? grown(this.#places) : this.#places, hash, position + 1);
  }

  /** The positions of all names with this hash. */
  *find(hash: number): Generator<number, void, void> {
    const places = this.#places;
    if (places === undefined) return;
    const mask = places.length / PLACE_WORDS - 1;
    for (let place = hash & mask; places[place * PLACE_WORDS + 1] !== 0; place = (place + 1) & mask) {
      if (places[place * PLACE_WORDS] === hash) yield places[place * PLACE_WORDS + 1]! - 1;
    }
  }
}

/** FNV-1a, 32 bits (RFC 9923). */
export function hashOf(name: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name[i]!, 0x01000193);
  return hash >>> 0;
}

/** Puts `value` into `places`, and returns them; undefined if there is no free place near enough, or no places. */
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

/** Twice as many places, with the same names; undefined if that is more than INDEX_LIMIT. */
function grown(places: Uint32Array): Uint32Array | undefined {
  if (places.byteLength * 2 > INDEX_LIMIT) return undefined;
  let larger: Uint32Array | undefined = new Uint32Array(places.length * 2);
  for (let at = 0; at < places.length; at += PLACE_WORDS) {
    if (places[at + 1] !== 0) larger = put(larger, places[at]!, places[at + 1]!);
  }
  return larger;
}

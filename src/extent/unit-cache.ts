/**
 * Decompressed units, in one bounded cache for the whole process. A unit is identified by its source and its index in it:
 * all reads and all files that need the same unit share one decompression.
 */
import { withinMemory } from "../bytes/memory.js";
import type { PackedUnit, UnitId } from "./extent.js";
import { loadingCache } from "./loading.js";

/** Bytes of decompressed units that are cached. */
const UNPACKED_CACHE_BYTES = withinMemory(32 * 2 ** 20);

/** Smaller units are not cached: an entry of the cache takes more memory than they do, and inline files come by the million. */
const SMALLEST_KEPT = 4096;

const unpacked = loadingCache<string, Buffer, () => Promise<Buffer>>(
  UNPACKED_CACHE_BYTES,
  (bytes) => bytes.length + 1,
  (_key, load) => load(),
);

/** The decompressed bytes of `unit`, which `load` returns if they are not cached. Do not write to them. */
export function cachedUnit(unit: PackedUnit, load: () => Promise<Buffer>): Promise<Buffer> {
  return unit.size < SMALLEST_KEPT ? load() : unpacked.load(keyOf(unit), load);
}

/** Whether the bytes of `unit` are cached, or being loaded. */
export function isCachedUnit(unit: PackedUnit): boolean {
  return unit.size >= SMALLEST_KEPT && unpacked.has(keyOf(unit));
}

/** Each source has a number, which makes the keys of its units. When it changes, it gets a new one. */
const numbers = new WeakMap<object, number>();
let count = 0;

function keyOf(unit: PackedUnit): string {
  const { source, index } =
    unit.codec === undefined ? { source: unit as UnitId["source"], index: 0 } : unit.id;
  let number = numbers.get(source);
  if (number === undefined) {
    numbers.set(source, (number = count++));
    // The old keys are not used any more; their values are evicted in time.
    source.changes?.on(source, () => numbers.set(source, count++));
  }
  return `${number} ${index}`;
}

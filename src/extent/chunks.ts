/**
 * Units that consist of chunks, each packed for itself. The addon unpacks them, those of several units in one call, off
 * the main thread. As everywhere, it does only what goes well: where it is not there, or something is wrong, the
 * decoders of bytes/compression do it, and say what.
 */
import type { Place } from "../bytes/compression/damage.js";
import { unpackLznt1 } from "../bytes/compression/lznt1.js";
import { unpackLzx } from "../bytes/compression/lzx.js";
import { unpackXpress } from "../bytes/compression/xpress.js";
import { loadAddon } from "../storage/addon.js";
import type { BlockSource } from "./extent.js";

/** By codec: its decoder, and its number for the addon. */
const CODECS = {
  lznt1: { number: 0, unpack: unpackLznt1 },
  xpress: { number: 1, unpack: unpackXpress },
  lzx: { number: 2, unpack: unpackLzx },
} as const;

/** In the place of a codec's number: the chunk is stored as it is. */
const STORED = 3;

export type Codec = keyof typeof CODECS;

/** A unit that this can unpack: several of them at once. */
export interface ChunkedUnit {
  readonly codec: Codec;
  /** Where in the packed bytes each chunk begins, and where the last one ends. */
  readonly places: readonly number[];
  /** Bytes of a chunk once unpacked; the last one has what is left of `size`. */
  readonly chunkSize: number;
  /** Bytes of all of them once unpacked. */
  readonly size: number;
  /** Whether a chunk that is as long packed as unpacked is stored as it is. */
  readonly mayBeStored: boolean;
  /** Where the packed bytes are: what lies in `runs` of `source`, in this order. */
  readonly source: BlockSource;
  readonly runs: readonly { readonly offset: number; readonly length: number }[];
  /** Where chunk `index` is, for complaints. */
  placeOf(index: number): Place;
  /** Hears of it when they could not be read. */
  failed?(): void;
}

/** A unit whose packed bytes are there from `from` on, and what it is to fill, from `at` on. */
export interface LoadedUnit {
  readonly unit: ChunkedUnit;
  readonly from: number;
  readonly at: number;
}

/** One of its chunks. */
interface Chunk {
  readonly unit: ChunkedUnit;
  readonly index: number;
  readonly from: number;
  readonly to: number;
  readonly at: number;
  readonly size: number;
}

/**
 * Unpacks `units`, which lie in `packed`, into `into`.
 * @throws {CorruptError} where a chunk is damaged.
 */
export async function unpackChunks(
  units: readonly LoadedUnit[],
  packed: Buffer,
  into: Uint8Array,
): Promise<void> {
  const all = units.flatMap(chunksOf);
  const addon = loadAddon();
  if (typeof addon === "object") {
    const numbers = new Float64Array(all.length * 5);
    all.forEach(({ unit, from, to, at, size }, index) => {
      const codec = isStored(unit, to - from, size) ? STORED : CODECS[unit.codec].number;
      numbers.set([codec, from, to, at, size], index * 5);
    });
    if (await addon.unpackChunks(numbers, packed, into)) return;
  }
  for (const { unit, index, from, to, at, size } of all) {
    const part = packed.subarray(from, to);
    const { unpack } = CODECS[unit.codec];
    into.set(isStored(unit, part.length, size) ? part : unpack(part, size, unit.placeOf(index)), at);
  }
}

function chunksOf({ unit, from, at }: LoadedUnit): Chunk[] {
  const { places, chunkSize, size } = unit;
  return Array.from({ length: places.length - 1 }, (_, index) => ({
    unit,
    index,
    from: from + places[index]!,
    to: from + places[index + 1]!,
    at: at + index * chunkSize,
    size: Math.min(chunkSize, size - index * chunkSize),
  }));
}

function isStored({ mayBeStored }: ChunkedUnit, packedSize: number, size: number): boolean {
  return mayBeStored && packedSize === size;
}

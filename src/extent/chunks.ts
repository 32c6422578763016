/**
 * Units that consist of chunks, each packed for itself. The addon unpacks them, off the main thread and several units
 * side by side. As everywhere, it does only what goes well: where it is not there, or something is wrong, the
 * decoders of bytes/compression do it, and say what.
 */
import type { Place } from "../bytes/compression/damage.js";
import { unpackLznt1 } from "../bytes/compression/lznt1.js";
import { unpackLzx } from "../bytes/compression/lzx.js";
import { unpackXpress } from "../bytes/compression/xpress.js";
import { loadAddon } from "../storage/addon.js";
import type { PackedUnit } from "./extent.js";

/** By codec: its decoder, and its number for the addon. */
const CODECS = {
  lznt1: { number: 0, unpack: unpackLznt1 },
  xpress: { number: 1, unpack: unpackXpress },
  lzx: { number: 2, unpack: unpackLzx },
} as const;

export type Codec = keyof typeof CODECS;

export interface Chunks {
  readonly codec: Codec;
  /** Where in the packed bytes each chunk begins, and where the last one ends. */
  readonly places: readonly number[];
  /** Bytes of a chunk once unpacked; the last one has what is left of `size`. */
  readonly chunkSize: number;
  /** Bytes of all of them once unpacked. */
  readonly size: number;
  /** Whether a chunk that is as long packed as unpacked is stored as it is. */
  readonly mayBeStored: boolean;
  /** Fills `packed` with the packed bytes. */
  load(packed: Buffer): Promise<void>;
  /** Where chunk `index` is, for complaints. */
  placeOf(index: number): Place;
  /** Hears of it when they could not be read. */
  failed?(): void;
}

export function chunkUnit(chunks: Chunks): PackedUnit {
  const { size } = chunks;
  const unpackInto = async (into: Uint8Array): Promise<void> => {
    try {
      await unpackChunks(chunks, into);
    } catch (error) {
      chunks.failed?.();
      throw error;
    }
  };
  return {
    size,
    unpackInto,
    async unpack() {
      const bytes = Buffer.allocUnsafe(size);
      await unpackInto(bytes);
      return bytes;
    },
  };
}

async function unpackChunks(chunks: Chunks, into: Uint8Array): Promise<void> {
  const { codec, places, chunkSize, size, mayBeStored } = chunks;
  const { number, unpack } = CODECS[codec];
  const packed = Buffer.allocUnsafe(places.at(-1)!);
  await chunks.load(packed);
  const addon = loadAddon();
  if (typeof addon === "object") {
    const all = Float64Array.from(places);
    if (await addon.unpackChunks(number, mayBeStored, chunkSize, all, packed, into)) return;
  }
  for (let index = 0; index + 1 < places.length; index++) {
    const part = packed.subarray(places[index], places[index + 1]);
    const at = index * chunkSize;
    const length = Math.min(chunkSize, size - at);
    const isStored = mayBeStored && part.length === length;
    into.set(isStored ? part : unpack(part, length, chunks.placeOf(index)), at);
  }
}

/**
 * Units that consist of chunks, each compressed by itself. The addon decompresses several units in one call, off the main
 * thread. As everywhere, the addon only handles the good case: without it, or when it fails, the decoders in
 * bytes/compression do the work and report what is wrong.
 */
import { unpackLznt1 } from "../bytes/compression/lznt1.js";
import { unpackLzx } from "../bytes/compression/lzx.js";
import { unpackXpress } from "../bytes/compression/xpress.js";
import { loadAddon } from "../storage/addon.js";
import { ChunkCodec, pushChunk } from "../storage/layouts.js";
import type { ChunkedUnit } from "./extent.js";

/** The decoder of each codec, and its number in the addon. */
const CODECS = {
  lznt1: { number: ChunkCodec.lznt1, unpack: unpackLznt1 },
  xpress: { number: ChunkCodec.xpress, unpack: unpackXpress },
  lzx: { number: ChunkCodec.lzx, unpack: unpackLzx },
} as const;

/** A unit whose packed bytes were read to `from`, and whose decompressed bytes go to `at`. */
export interface LoadedUnit {
  readonly unit: ChunkedUnit;
  readonly from: number;
  readonly at: number;
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
  const addon = loadAddon();
  if (typeof addon === "object") {
    const chunks: number[] = [];
    for (const { unit, from, at } of units) pushChunks(chunks, unit, from, at);
    if (await addon.unpackChunks(new Float64Array(chunks), packed, into)) return;
  }
  for (const { unit, from, at } of units) {
    const { unpack } = CODECS[unit.codec];
    for (let index = 0; index + 1 < unit.places.length; index++) {
      const part = packed.subarray(from + unit.places[index]!, from + unit.places[index + 1]!);
      const skip = index * unit.chunkSize;
      const size = Math.min(unit.chunkSize, unit.size - skip);
      const isStored = unit.mayBeStored && part.length === size;
      into.set(isStored ? part : unpack(part, size, unit.placeOf(index)), at + skip);
    }
  }
}

/**
 * Appends the chunks of `unit` for the addon (native-bindings/README.md). `from`: where its packed bytes begin; `at`: where
 * its unpacked bytes go.
 */
export function pushChunks(numbers: number[], unit: ChunkedUnit, from: number, at: number): void {
  const { places, chunkSize, mayBeStored } = unit;
  const { number } = CODECS[unit.codec];
  for (let index = 0; index + 1 < places.length; index++) {
    const start = places[index]!;
    const end = places[index + 1]!;
    const skip = index * chunkSize;
    const size = Math.min(chunkSize, unit.size - skip);
    const isStored = mayBeStored && end - start === size;
    pushChunk(numbers, isStored ? ChunkCodec.stored : number, from + start, from + end, at + skip, size);
  }
}

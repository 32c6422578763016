/**
 * Units that consist of chunks, each compressed by itself. The addon decompresses several units in one call, off the main
 * thread. It reports no errors: if it is missing, lacks the codec or fails, the functions of bytes/compression/codecs.ts
 * do the same work, and throw the error.
 */
import { codecs, type Codec } from "../bytes/compression/codecs.js";
import { loadAddon } from "../storage/addon.js";
import { pushChunk } from "../storage/layouts.js";
import type { ChunkedUnit } from "./extent.js";
import { yieldIfDue } from "./time-slice.js";

/** A unit whose packed bytes were read to `from`, and whose decompressed bytes go to `at`. */
export interface LoadedUnit {
  readonly unit: ChunkedUnit;
  readonly from: number;
  readonly at: number;
}

/**
 * Decompresses `units`, which lie in `packed`, into `into`.
 * @throws {CorruptError} where a chunk is damaged.
 */
export async function unpackChunks(
  units: readonly LoadedUnit[],
  packed: Buffer,
  into: Uint8Array,
): Promise<void> {
  const addon = loadAddon();
  if (typeof addon === "object" && units.every(({ unit }) => isNative(unit.codec))) {
    const numbers: number[] = [];
    for (const { unit, from, at } of units) pushChunks(numbers, unit, from, at);
    if (await addon.unpackChunks(new Float64Array(numbers), packed, into)) return;
  }
  for (const { unit, from, at } of units) {
    for (let index = 0; index < chunkCount(unit); index++) {
      const turn = yieldIfDue();
      if (turn !== undefined) await turn;
      const { codec, start, end, skip, size } = chunkAt(unit, index);
      const unpacked = codecs[codec](packed.subarray(from + start, from + end), size, unit.placeOf(index));
      into.set(unpacked instanceof Promise ? await unpacked : unpacked, at + skip);
    }
  }
}

/** Whether the addon can decompress `codec`. */
export function isNative(codec: Codec): boolean {
  return nativeNumbers().has(codec) && nativeNumbers().has("stored");
}

/**
 * Appends the chunks of `unit` for the addon (native-bindings/README.md), which must have its codec. `from`: where its packed
 * bytes begin; `at`: where its decompressed bytes go.
 */
export function pushChunks(numbers: number[], unit: ChunkedUnit, from: number, at: number): void {
  const natives = nativeNumbers();
  for (let index = 0; index < chunkCount(unit); index++) {
    const { codec, start, end, skip, size } = chunkAt(unit, index);
    pushChunk(numbers, natives.get(codec)!, from + start, from + end, at + skip, size);
  }
}

/** The addon's numbers of the codecs that it has. */
function nativeNumbers(): ReadonlyMap<string, number> {
  return (natives ??= readNumbers());
}
let natives: ReadonlyMap<string, number> | undefined;

function readNumbers(): ReadonlyMap<string, number> {
  const addon = loadAddon();
  const names = typeof addon === "object" ? addon.codecNames() : [];
  return new Map(names.map((name, number) => [name, number]));
}

interface Chunk {
  readonly codec: Codec;
  /** Its bytes among the packed ones. */
  readonly start: number;
  readonly end: number;
  /** Its place and its bytes among the decompressed ones. */
  readonly skip: number;
  readonly size: number;
}

function chunkCount({ places }: ChunkedUnit): number {
  return places.length - 1;
}

function chunkAt({ codec, places, chunkSize, size, mayBeStored }: ChunkedUnit, index: number): Chunk {
  const start = places[index]!;
  const end = places[index + 1]!;
  const skip = index * chunkSize;
  const ownSize = Math.min(chunkSize, size - skip);
  const isStored = mayBeStored && end - start === ownSize;
  return { codec: isStored ? "stored" : codec, start, end, skip, size: ownSize };
}

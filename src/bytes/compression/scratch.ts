/**
 * Buffers that the synchronous decoders share: one of them runs at a time, and none expects anything in them. Packed bytes are
 * copied in, with zeros behind them, and decompressed bytes are copied out. So decoders need not check for the buffers' ends
 * at each word, and always work with the same arrays.
 */
import { damaged, type Place } from "./damage.js";

/** Bytes of the largest decompressed chunk: XPRESS in WIM files. */
const LONGEST_UNPACKED = 65536;

/** Bytes of a packed chunk at most. Programs store a chunk that compression would not make shorter. */
const LONGEST_PACKED = 2 * LONGEST_UNPACKED;

/** Bytes behind the end that decoders may read without using them (the header of an LZX block at most), or overwrite. */
const SLACK = 64;

export const input = Buffer.alloc(LONGEST_PACKED + SLACK);
export const inputView = new DataView(input.buffer, input.byteOffset);
export const output = Buffer.alloc(LONGEST_UNPACKED + SLACK);
export const outputView = new DataView(output.buffer, output.byteOffset);

/** Copies `packed` to `input`. `codec` is its name in error messages. */
export function load(packed: Uint8Array, size: number, codec: string, place: Place): void {
  if (size > LONGEST_UNPACKED) throw new Error(`${codec} chunks have no ${size} bytes`);
  if (packed.length > LONGEST_PACKED) {
    throw damaged(place, `${codec} chunk`, 0, `${packed.length} bytes`, `at most ${LONGEST_PACKED}`);
  }
  input.set(packed);
  input.fill(0, packed.length, packed.length + SLACK);
}

/** Returns a copy of the first `size` bytes of `output`. */
export function unload(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  output.copy(bytes, 0, 0, size);
  return bytes;
}

/**
 * Copies the bytes that begin `distance` before `to` to `[to, stop)` of `output`. If that is longer than `distance`, they repeat.
 * Overwrites up to 7 bytes behind `stop`.
 */
export function copyMatch(view: DataView, to: number, distance: number, stop: number): void {
  let from = to - distance;
  if (distance < 4) {
    // A pattern of 1, 2 or 3 bytes also repeats after 4 or 6.
    const period = distance === 3 ? 6 : 4;
    for (const first = from + period; to < first; to++) view.setUint8(to, view.getUint8(to - distance));
  }
  // Most matches have 8 bytes at most: the processor predicts well that the loop ends after its first step.
  while (to < stop) {
    view.setUint32(to, view.getUint32(from, true), true);
    view.setUint32(to + 4, view.getUint32(from + 4, true), true);
    to += 8;
    from += 8;
  }
}

/**
 * Room that the decoders with Huffman codes share. They are synchronous: one of them at a time is at work, and it
 * finds and leaves nothing here. What is packed is copied in, with zeros behind it, and what is unpacked copied
 * out, so that neither needs a look at its end for each word, and the arrays are the same ones every time.
 */
import { damaged, type Place } from "./damage.js";

/** The most that one chunk is unpacked: the longest of WIM's XPRESS. */
const LONGEST_UNPACKED = 65536;

/** More than any program makes of a chunk: they store one that would not become shorter. */
const LONGEST_PACKED = 2 * LONGEST_UNPACKED;

/** Bytes past the end that are looked at and not used (an LZX block's head at most), or written and not kept. */
const SLACK = 64;

export const input = Buffer.alloc(LONGEST_PACKED + SLACK);
export const inputView = new DataView(input.buffer, input.byteOffset);
export const output = Buffer.alloc(LONGEST_UNPACKED + SLACK);
export const outputView = new DataView(output.buffer, output.byteOffset);

/** Puts `packed` into `input`. `codec` is for the complaint. */
export function load(packed: Uint8Array, size: number, codec: string, place: Place): void {
  if (size > LONGEST_UNPACKED) throw new Error(`${codec} chunks have no ${size} bytes`);
  if (packed.length > LONGEST_PACKED) {
    throw damaged(place, `${codec} chunk`, 0, `${packed.length} bytes`, `at most ${LONGEST_PACKED}`);
  }
  input.set(packed);
  input.fill(0, packed.length, packed.length + SLACK);
}

/** The first `size` bytes of `output`, in a buffer of the caller's own. */
export function unload(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  output.copy(bytes, 0, 0, size);
  return bytes;
}

/**
 * Copies what lies `distance` before `to` to `[to, stop)` of `output`, over and over where that is more. Up to 7
 * bytes past `stop` are overwritten.
 */
export function copyMatch(view: DataView, to: number, distance: number, stop: number): void {
  let from = to - distance;
  if (distance < 4) {
    // What repeats itself after 1, 2 or 3 bytes does so after 4 or 6, too.
    const period = distance === 3 ? 6 : 4;
    for (const first = from + period; to < first; to++) view.setUint8(to, view.getUint8(to - distance));
  }
  // Most matches are no longer than 8, and a loop that ends at once is one that is guessed right.
  while (to < stop) {
    view.setUint32(to, view.getUint32(from, true), true);
    view.setUint32(to + 4, view.getUint32(from + 4, true), true);
    to += 8;
    from += 8;
  }
}

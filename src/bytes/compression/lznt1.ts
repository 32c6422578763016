/**
 * LZNT1, the compression of NTFS files since Windows NT 3.51, for reading. Source: [MS-XCA] 2.5.
 *
 *   buffer   chunks, each of 4096 bytes once unpacked; a header of zero, or the input's end, ends it
 *   chunk    a 16-bit header (bits 0-11 its and the data's length - 3, 12-14 the number 3, bit 15 set when packed)
 *   data     a byte of eight flags, lowest first, then for each a literal byte or a 16-bit match, and again
 *   match    distance - 1 above, length - 3 below; the further into the chunk, the more bits the distance has
 */
import { damaged, type Place } from "./damage.js";

/** Bytes of a chunk once unpacked; no match leaves its chunk. */
const CHUNK_SIZE = 4096;

/** Bits 12 to 14 of a chunk's header ([MS-XCA] 2.5.1.1). */
const SIGNATURE = 3;

const SHORTEST_MATCH = 3;

/** The fewest bits that the distance has of a match's sixteen. */
const LEAST_DISTANCE_BITS = 4;

const NOWHERE: Place = { file: "LZNT1 data" };

/**
 * The first `size` bytes of what `packed` holds: a compression unit of NTFS, or as much of one as its file has.
 * Bytes after the end's mark are not looked at; what the mark, or a short chunk, leaves of `size` is zero, as it is
 * for Windows. The buffer is the caller's own.
 * @throws {CorruptError} when `packed` is damaged, or ends without a mark before `size` bytes are there.
 */
export function unpackLznt1(packed: Uint8Array, size: number, place: Place = NOWHERE): Buffer {
  // Whole chunks, so that there is one rule for where a chunk's output ends.
  const out = Buffer.allocUnsafe(Math.ceil(size / CHUNK_SIZE) * CHUNK_SIZE);
  let at = 0;
  for (let start = 0; start < out.length; start += CHUNK_SIZE) {
    if (at + 2 > packed.length) throw damaged(place, "LZNT1 data", at, `${start} bytes`, `${size}`);
    const header = packed[at]! | (packed[at + 1]! << 8);
    if (header === 0) {
      out.fill(0, start);
      break;
    }
    const end = at + (header & 0xfff) + 3;
    if (((header >>> 12) & 7) !== SIGNATURE) {
      throw damaged(place, "LZNT1 chunk's signature", at, String((header >>> 12) & 7), String(SIGNATURE));
    }
    if (end > packed.length) {
      throw damaged(place, "LZNT1 chunk's end", at, String(end), `at most ${packed.length}`);
    }
    let filled: number;
    if (header & 0x8000) {
      filled = unpackChunk(packed, at + 2, end, out, start, place);
    } else {
      if (end - at - 2 > CHUNK_SIZE) throw tooLong(place, at);
      out.set(packed.subarray(at + 2, end), start);
      filled = start + end - at - 2;
    }
    if (filled < start + CHUNK_SIZE) out.fill(0, filled, start + CHUNK_SIZE);
    at = end;
  }
  return out.subarray(0, size);
}

/** Unpacks the data `[at, end)` of one chunk to `start` of `out`, and gives the end of what it wrote. */
function unpackChunk(
  packed: Uint8Array,
  at: number,
  end: number,
  out: Uint8Array,
  start: number,
  place: Place,
): number {
  const limit = start + CHUNK_SIZE;
  let to = start;
  // The distance has the fewest bits, four or more, that reach back to the chunk's start ([MS-XCA] 2.5.1.4).
  let lengthBits = 16 - LEAST_DISTANCE_BITS;
  let reach = start + (1 << LEAST_DISTANCE_BITS);
  while (at < end) {
    let flags = packed[at++]! | 0x100; // the ninth bit tells that eight were used
    do {
      if (at >= end) return to;
      if ((flags & 1) === 0) {
        if (to >= limit) throw tooLong(place, at);
        out[to++] = packed[at++]!;
        continue;
      }
      if (at + 2 > end) throw damaged(place, "LZNT1 match", at, "1 byte", "2");
      const match = packed[at]! | (packed[at + 1]! << 8);
      while (to > reach) {
        lengthBits--;
        reach += reach - start;
      }
      const length = (match & ((1 << lengthBits) - 1)) + SHORTEST_MATCH;
      const distance = (match >>> lengthBits) + 1;
      if (distance > to - start) {
        throw damaged(place, "LZNT1 match's distance", at, String(distance), `at most ${to - start}`);
      }
      if (length > limit - to) throw tooLong(place, at);
      at += 2;
      for (const stop = to + length; to < stop; to++) out[to] = out[to - distance]!;
    } while ((flags >>>= 1) > 1);
  }
  return to;
}

function tooLong(place: Place, at: number): Error {
  return damaged(place, "LZNT1 chunk", at, "longer", `at most ${CHUNK_SIZE} bytes once unpacked`);
}

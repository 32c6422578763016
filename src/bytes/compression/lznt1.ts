/**
 * Decodes LZNT1, with which Windows compresses files of NTFS since NT 3.51. Source: [MS-XCA] 2.5.
 *
 *   buffer   chunks, each of 4096 bytes when decompressed; ended by a header of zero, or by the end of the input
 *   chunk    a 16-bit header: bits 0-11 the length of header and data - 3, bits 12-14 the number 3, bit 15 set if compressed
 *   data     groups: a byte of eight flags, lowest first, then for each flag a literal byte (0) or a 16-bit match (1)
 *   match    distance - 1 in the upper bits, length - 3 in the lower; the distance has more bits further into the chunk
 */
import { damaged, type Place } from "./damage.js";
import { copyMatch, input, inputView, output, outputView } from "./scratch.js";

/** Bytes of a decompressed chunk. Matches refer to bytes of the same chunk only. */
const CHUNK_SIZE = 4096;

/** Bits 12 to 14 of a chunk's header ([MS-XCA] 2.5.1.1). */
const SIGNATURE = 3;

const SHORTEST_MATCH = 3;

/** The fewest of a match's sixteen bits that belong to the distance. */
const LEAST_DISTANCE_BITS = 4;

const NOWHERE: Place = { file: "LZNT1 data" };

/**
 * Decompresses the first `size` bytes of `packed`: a compression unit of NTFS, or the part of one that its file has. What
 * follows a header of zero is not read. After such a header, and after a short chunk, the remaining bytes are zero, as on
 * Windows. The buffer is the caller's own.
 * @throws {CorruptError} when `packed` is damaged, or ends before `size` bytes without a header of zero.
 */
export function unpackLznt1(packed: Uint8Array, size: number, place: Place = NOWHERE): Buffer {
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (let start = 0; start < size; start += CHUNK_SIZE) {
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
    const data = packed.subarray(at + 2, end);
    const stop = Math.min(start + CHUNK_SIZE, size);
    let filled: number;
    if (header & 0x8000) {
      filled = unpackChunk(data, at + 2, place);
      output.copy(out, start, 0, filled);
    } else {
      filled = data.length;
      if (filled > CHUNK_SIZE) throw tooLong(place, at);
      out.set(data.subarray(0, stop - start), start);
    }
    if (start + filled < stop) out.fill(0, start + filled, stop);
    at = end;
  }
  return out;
}

/** Decompresses `data` of one chunk, which lies at `origin` of the packed bytes, to `output`. Returns how many bytes that are. */
function unpackChunk(data: Uint8Array, origin: number, place: Place): number {
  input.set(data);
  const end = data.length;
  let at = 0;
  let to = 0;
  // The distance has as many bits, at least four, as are needed to reach the chunk's start ([MS-XCA] 2.5.1.4).
  let lengthBits = 16 - LEAST_DISTANCE_BITS;
  let reach = 1 << LEAST_DISTANCE_BITS;
  while (at < end) {
    let flags = inputView.getUint8(at++) | 0x100; // once only the ninth bit is left, all eight are used
    do {
      // All literals before the next match are copied at once: always eight bytes, as many as there can be.
      const literals = 31 - Math.clz32(flags & -flags);
      outputView.setUint32(to, inputView.getUint32(at, true), true);
      outputView.setUint32(to + 4, inputView.getUint32(at + 4, true), true);
      to += literals;
      at += literals;
      if (at >= end) {
        to -= at - end; // the last flags have no items
        break;
      }
      flags >>>= literals;
      if (flags === 1) break;
      if (at + 2 > end) throw damaged(place, "LZNT1 match", origin + at, "1 byte", "2");
      const match = inputView.getUint16(at, true);
      while (to > reach) {
        lengthBits--;
        reach *= 2;
      }
      const length = (match & ((1 << lengthBits) - 1)) + SHORTEST_MATCH;
      const distance = (match >>> lengthBits) + 1;
      if (distance > to) {
        throw damaged(place, "LZNT1 match's distance", origin + at, String(distance), `at most ${to}`);
      }
      if (length > CHUNK_SIZE - to) throw tooLong(place, origin + at);
      copyMatch(outputView, to, distance, to + length);
      to += length;
      at += 2;
    } while ((flags >>>= 1) > 1);
    if (to > CHUNK_SIZE) throw tooLong(place, origin + at);
  }
  return to;
}

function tooLong(place: Place, at: number): Error {
  return damaged(place, "LZNT1 chunk", at, "longer", `at most ${CHUNK_SIZE} bytes once unpacked`);
}

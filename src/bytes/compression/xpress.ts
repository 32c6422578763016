/**
 * XPRESS with Huffman codes ("LZ77+Huffman", [MS-XCA] 2.2), for reading: what CompactOS packs files of NTFS with, in
 * chunks of 4, 8 or 16 KiB, and WIM files in chunks of up to 64 KiB. One block of the format is one chunk.
 *
 *   256 bytes   the lengths of the code words of 512 symbols, a half byte each
 *   words       16 bits, little-endian, of code words and distances, read from the highest bit down
 *   symbol      below 256 a literal byte; else a match: bits 4 to 7 say how many bits of its distance follow, below
 *               an implied one; bits 0 to 3 are its length - 3, or 15
 *   bytes       where 15 was not enough for a length: in between the words, where a reader that always has 16 bits
 *               at hand would take its next word
 */
import { damaged, endsEarly, type Place } from "./damage.js";
import { findLong, LENGTH_BITS, LENGTH_MASK, newCode, prepare } from "./huffman.js";
import { copyMatch, input, inputView, load, output, outputView, unload } from "./scratch.js";

const SYMBOL_COUNT = 512;
const LENGTHS_SIZE = SYMBOL_COUNT / 2;
const SHORTEST_MATCH = 3;

/** The length in a symbol that says that bytes with the true one follow. */
const LONG_LENGTH = 15;

/** A wider table takes longer to fill than it saves, in chunks as small as these. */
const TABLE_BITS = 11;

const NOWHERE: Place = { file: "XPRESS data" };

const code = newCode(SYMBOL_COUNT, TABLE_BITS);
const lengthPairs = new Uint16Array(code.lengths.buffer);

/**
 * The `size` bytes, 64 KiB at most, of the chunk that `packed` holds. (A chunk that is as long packed as it is
 * unpacked is stored as it is, and none of this function's.) The buffer is the caller's own.
 * @throws {CorruptError} when `packed` is damaged, or ends early.
 */
export function unpackXpress(packed: Uint8Array, size: number, place: Place = NOWHERE): Buffer {
  if (packed.length < LENGTHS_SIZE) {
    throw damaged(place, "XPRESS chunk", 0, `${packed.length} bytes`, `at least ${LENGTHS_SIZE}`);
  }
  load(packed, size, "XPRESS", place);
  for (let at = 0; at < LENGTHS_SIZE; at++) {
    lengthPairs[at] = (packed[at]! & 15) | ((packed[at]! & 0xf0) << 4);
  }
  const verdict = prepare(code);
  if (verdict !== "complete") throw damaged(place, "XPRESS code", 0, verdict, "complete");
  unpackSymbols(packed.length, size, place);
  return unload(size);
}

/**
 * Unpacks `input`, to its byte `end`, to `size` bytes of `output`. The bits are counted, not shifted out: a look at
 * the next ones costs no branch. `base` is where the word with bit 0 would be; bytes in between the words are taken
 * out by moving the words before them, which have not all been read, to where they end.
 */
function unpackSymbols(end: number, size: number, place: Place): void {
  const { table } = code;
  const bytesIn: Uint8Array = input;
  const bytesOut: Uint8Array = output;
  let base = LENGTHS_SIZE;
  let bit = 0;
  let to = 0;
  while (to < size) {
    const next = peek(base, bit);
    let entry = table[next >>> (32 - TABLE_BITS)]!;
    if (entry === 0) entry = findLong(code, next);
    bit += entry & LENGTH_MASK;
    if (wordOf(base, bit + 15) > end) throw endsEarly(place, "XPRESS", end);
    const symbol = entry >>> LENGTH_BITS;
    if (symbol < 256) {
      bytesOut[to++] = symbol;
      continue;
    }
    let length = symbol & 15;
    if (length === LONG_LENGTH) {
      const from = wordOf(base, bit);
      const at = wordOf(base, bit + 15) + 2;
      length += bytesIn[at]!;
      let count = 1;
      if (length === LONG_LENGTH + 255) {
        length = inputView.getUint16(at + 1, true);
        count = 3;
        if (length < LONG_LENGTH) {
          throw damaged(place, "XPRESS match's length", at + 1, String(length), `at least ${LONG_LENGTH}`);
        }
      }
      if (at + count > end) throw endsEarly(place, "XPRESS", end);
      for (let byte = at - 1; byte >= from; byte--) bytesIn[byte + count] = bytesIn[byte]!;
      base += count;
    }
    length += SHORTEST_MATCH;
    const distanceBits = (symbol >>> 4) & 15;
    // Two shifts, since one by 32 would be none.
    const distance = (1 << distanceBits) | ((peek(base, bit) >>> 1) >>> (31 - distanceBits));
    bit += distanceBits;
    if (wordOf(base, bit + 15) > end) throw endsEarly(place, "XPRESS", end);
    if (distance > to)
      throw damaged(place, "XPRESS match's distance", base, String(distance), `at most ${to}`);
    if (length > size - to) {
      throw damaged(place, "XPRESS match's length", base, String(length), `at most ${size - to}`);
    }
    copyMatch(outputView, to, distance, to + length);
    to += length;
  }
}

/** The word that bit `bit` is in. */
function wordOf(base: number, bit: number): number {
  return base + ((bit >>> 4) << 1);
}

/** The next bits, 17 of them at least, at the top of 32. */
function peek(base: number, bit: number): number {
  const words = inputView.getUint32(wordOf(base, bit), true);
  return ((words << 16) | (words >>> 16)) << (bit & 15);
}

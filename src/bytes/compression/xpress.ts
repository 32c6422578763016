/**
 * Decodes XPRESS with Huffman codes ("LZ77+Huffman", [MS-XCA] 2.2): CompactOS uses it for files of NTFS, in chunks of 4, 8 or
 * 16 KiB, and WIM files have chunks of up to 64 KiB. One block of the format is one chunk.
 *
 *   256 bytes   the lengths of the code words of 512 symbols, four bits each
 *   words       16 bits, little-endian, of code words and distances, read from the highest bit down
 *   symbol      below 256: a literal byte. Otherwise a match: bits 4 to 7 are how many bits of its distance follow, below a bit
 *               that is always set; bits 0 to 3 are its length - 3, or 15 if bytes with the length follow
 *   bytes       of such a length lie between the words: where a reader that always keeps at least 16 bits reads its next word
 */
import { damaged, endsEarly, type Place } from "./damage.js";
import { findLong, LENGTH_BITS, LENGTH_MASK, newCode, prepare } from "./huffman.js";
import { copyMatch, input, inputView, load, output, outputView, unload } from "./scratch.js";

const SYMBOL_COUNT = 512;
const LENGTHS_SIZE = SYMBOL_COUNT / 2;
const SHORTEST_MATCH = 3;

/** The length in a symbol that means that bytes with the length follow. */
const LONG_LENGTH = 15;

/** For chunks of this size, to fill a wider table takes longer than it saves. */
const TABLE_BITS = 11;

const NOWHERE: Place = { file: "XPRESS data" };

const code = newCode(SYMBOL_COUNT, TABLE_BITS);
const lengthPairs = new Uint16Array(code.lengths.buffer);

/**
 * Decompresses the chunk `packed` to `size` bytes, 64 KiB at most. (A chunk of which both lengths are the same is stored without
 * compression, and must not be passed.) The buffer is the caller's own.
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
 * Decodes `[0, end)` of `input` to `size` bytes of `output`. Used bits are counted, not shifted out, so that reading the next ones
 * needs no branch. `base` is where the word with bit 0 would lie: bytes between the words are removed by moving the words
 * before them, of which some bits are not read yet, behind them.
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
    // In two shifts: JavaScript shifts by 32 as by 0.
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

/** The position of the word that contains bit `bit`. */
function wordOf(base: number, bit: number): number {
  return base + ((bit >>> 4) << 1);
}

/** Returns the bits from bit `bit` on as the highest of 32. At least 17 of them are valid. */
function peek(base: number, bit: number): number {
  const words = inputView.getUint32(wordOf(base, bit), true);
  return ((words << 16) | (words >>> 16)) << (bit & 15);
}

/**
 * The symbols of an LZX block ([MS-PATCH] 2.3 and 2.6): literal bytes and matches, which lzx.ts describes.
 */
import { peek } from "./bits.js";
import { damaged, endsEarly, type Place } from "./damage.js";
import { findLong, LENGTH_BITS, LENGTH_MASK } from "./huffman.js";
import { alignedCode, lengthCode, mainCode } from "./lzx-codes.js";
import { copyMatch, output, outputView } from "./scratch.js";

const SHORTEST_MATCH = 2;

/** The length in a main symbol that means that a symbol of the length code follows. */
const LONG_LENGTH = 7;

/** How many slots stand for one of the last distances. */
const RECENT_COUNT = 3;

/** The difference between a distance and its coded value. */
const VALUE_BIAS = 2;

/** How many of a distance's lowest bits are in the aligned code. */
const ALIGNED_BITS = 3;

/** The last three distances, the latest first. They are kept from block to block. */
export const recent = new Int32Array(RECENT_COUNT);

/**
 * Decodes symbols from `bit` on into `[to, stop)` of `output`. Returns the first bit behind them.
 * @throws {CorruptError} when a match is not valid, or the input ends (at `end`) too early.
 */
export function unpackSymbols(
  bit: number,
  end: number,
  to: number,
  stop: number,
  isAligned: boolean,
  place: Place,
): number {
  const bytesOut: Uint8Array = output;
  const mainTable = mainCode.table;
  const mainShift = 32 - mainCode.tableBits;
  const lengthTable = lengthCode.table;
  const lengthShift = 32 - lengthCode.tableBits;
  let [recent0, recent1, recent2] = recent as unknown as [number, number, number];
  while (to < stop) {
    let next = peek(bit);
    let entry = mainTable[next >>> mainShift]!;
    if (entry === 0) entry = findLong(mainCode, next);
    bit += entry & LENGTH_MASK;
    if (bit > end) throw endsEarly(place, "LZX", end >>> 3);
    const symbol = entry >>> LENGTH_BITS;
    if (symbol < 256) {
      bytesOut[to++] = symbol;
      continue;
    }
    let length = symbol & 7;
    if (length === LONG_LENGTH) {
      next = peek(bit);
      entry = lengthTable[next >>> lengthShift]!;
      if (entry === 0) entry = findLong(lengthCode, next);
      if (entry === 0)
        throw damaged(place, "LZX match's length", bit >>> 3, "of an empty code", "of another");
      bit += entry & LENGTH_MASK;
      length += entry >>> LENGTH_BITS;
    }
    length += SHORTEST_MATCH;
    const slot = (symbol - 256) >>> 3;
    let distance: number;
    if (slot >= RECENT_COUNT) {
      let extra = (slot >>> 1) - 1;
      distance = ((2 | (slot & 1)) << extra) - VALUE_BIAS;
      if (isAligned && extra >= ALIGNED_BITS) {
        extra -= ALIGNED_BITS;
        distance += ((peek(bit) >>> 1) >>> (31 - extra)) << ALIGNED_BITS;
        bit += extra;
        entry = alignedCode.table[peek(bit) >>> (32 - alignedCode.tableBits)]!;
        if (entry === 0)
          throw damaged(place, "LZX match's distance", bit >>> 3, "of an empty code", "of another");
        distance += entry >>> LENGTH_BITS;
        bit += entry & LENGTH_MASK;
      } else {
        distance += (peek(bit) >>> 1) >>> (31 - extra);
        bit += extra;
      }
      recent2 = recent1;
      recent1 = recent0;
      recent0 = distance;
    } else if (slot === 0) {
      distance = recent0;
    } else if (slot === 1) {
      distance = recent1;
      recent1 = recent0;
      recent0 = distance;
    } else {
      distance = recent2;
      recent2 = recent0;
      recent0 = distance;
    }
    // A stored block may have set a last distance to any value, 0 and values of 32 bits included.
    if ((distance - 1) >>> 0 >= to) {
      throw damaged(place, "LZX match's distance", bit >>> 3, String(distance), `from 1 to ${to}`);
    }
    if (length > stop - to) {
      throw damaged(place, "LZX match's length", bit >>> 3, String(length), `at most ${stop - to}`);
    }
    copyMatch(outputView, to, distance, to + length);
    to += length;
  }
  if (bit > end) throw endsEarly(place, "LZX", end >>> 3);
  recent[0] = recent0;
  recent[1] = recent1;
  recent[2] = recent2;
  return bit;
}

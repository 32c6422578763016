/**
 * The codes of an LZX block ([MS-PATCH] 2.5 and 2.6). The lengths of their words are compressed, too: as differences from those
 * in the block before, or as runs, in a code of their own, the pretree.
 */
import { peek } from "./bits.js";
import { damaged, endsEarly, type Place } from "./damage.js";
import { type Code, findLong, LENGTH_BITS, LENGTH_MASK, newCode, prepare } from "./huffman.js";

/** Symbols with a window of 32 KiB: 256 literal bytes, and eight lengths of matches for each of 30 slots of distances. */
const MAIN_COUNT = 256 + 8 * 30;
const LENGTH_COUNT = 249;
const ALIGNED_COUNT = 8;
const PRETREE_COUNT = 20;

export const mainCode = newCode(MAIN_COUNT, 11);
export const lengthCode = newCode(LENGTH_COUNT, 9);
export const alignedCode = newCode(ALIGNED_COUNT, 7); // its words have 7 bits at most
const pretree = newCode(PRETREE_COUNT, 8);

/** Sets all lengths to 0, as they are before the first block of a chunk. */
export function forgetCodes(): void {
  mainCode.lengths.fill(0);
  lengthCode.lengths.fill(0);
}

/** Reads the codes of a block from `bit` on, up to `end` at most. Returns the first bit behind them. */
export function readCodes(bit: number, end: number, isAligned: boolean, place: Place): number {
  if (isAligned) {
    for (let symbol = 0; symbol < ALIGNED_COUNT; symbol++, bit += 3) {
      alignedCode.lengths[symbol] = peek(bit) >>> 29;
    }
    make(alignedCode, "aligned", bit, place);
  }
  bit = readLengths(mainCode, 0, 256, bit, end, place);
  bit = readLengths(mainCode, 256, MAIN_COUNT, bit, end, place);
  make(mainCode, "main", bit, place);
  bit = readLengths(lengthCode, 0, LENGTH_COUNT, bit, end, place);
  make(lengthCode, "length", bit, place);
  return bit;
}

/** Returns the entry of the word at `bit`; 0 if the code is empty. */
function look(code: Code, bit: number): number {
  const next = peek(bit);
  return code.table[next >>> (32 - code.tableBits)]! || findLong(code, next);
}

/** Reads the lengths of the symbols `[from, to)`. */
function readLengths(code: Code, from: number, to: number, bit: number, end: number, place: Place): number {
  for (let symbol = 0; symbol < PRETREE_COUNT; symbol++, bit += 4) {
    pretree.lengths[symbol] = peek(bit) >>> 28;
  }
  make(pretree, "pretree", bit, place);
  const { lengths } = code;
  const take = (count: number): number => {
    bit += count;
    return peek(bit - count) >>> (32 - count);
  };
  while (from < to) {
    let entry = look(pretree, bit);
    bit += entry & LENGTH_MASK;
    let symbol = entry >>> LENGTH_BITS;
    let run = 1;
    let value = 0;
    if (symbol === 17) run = 4 + take(4);
    else if (symbol === 18) run = 20 + take(5);
    else {
      if (symbol === 19) {
        run = 4 + take(1);
        entry = look(pretree, bit);
        bit += entry & LENGTH_MASK;
        symbol = entry >>> LENGTH_BITS;
        if (symbol > 16)
          throw damaged(place, "LZX code's difference", bit >>> 3, String(symbol), "at most 16");
      }
      value = (lengths[from]! + 17 - symbol) % 17;
    }
    if (bit > end) throw endsEarly(place, "LZX", end >>> 3);
    if (run > to - from)
      throw damaged(place, "LZX code's run", bit >>> 3, String(run), `at most ${to - from}`);
    lengths.fill(value, from, (from += run));
  }
  return bit;
}

/** Prepares `code`. Only the length code and the aligned code may be empty, since there may be no match that uses them. */
function make(code: Code, name: string, bit: number, place: Place): void {
  const verdict = prepare(code);
  if (verdict === "complete" || (verdict === "empty" && (code === lengthCode || code === alignedCode)))
    return;
  throw damaged(place, `LZX ${name} code`, bit >>> 3, verdict, "complete");
}

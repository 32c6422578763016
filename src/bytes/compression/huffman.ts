/**
 * Canonical Huffman codes, read from the highest bit down, as XPRESS ([MS-XCA] 2.2.4) and LZX ([MS-PATCH] 2.2)
 * have them: a shorter code word is the smaller number, and of two equally long ones that of the smaller symbol.
 *
 * A table over the next bits tells symbol and length at one look. Code words that are longer than it is wide are
 * rare by what they are, and found by comparing: the words of each length are a range.
 */

/** What a look at the table, or `findLong`, gives: a symbol above five bits that hold its code word's length. */
export const LENGTH_BITS = 5;
export const LENGTH_MASK = 31;

/** The longest code word there is, LZX's. */
const LONGEST = 16;

export interface Code {
  /** The length of each symbol's code word; 0 where it has none. To be filled before `prepare`. */
  readonly lengths: Uint8Array;
  /** By the next `tableBits` bits: symbol and length, or 0 where the code word is longer. */
  readonly table: Uint16Array;
  /** The same, two entries at once. */
  readonly pairs: Uint32Array;
  readonly tableBits: number;
  /** All symbols in the order of their code words. */
  readonly sorted: Uint16Array;
  /** By length: the first 16 bits past the last code word of that length or less. */
  readonly ends: Int32Array;
  /** By length: what to add to a code word for its place in `sorted`. */
  readonly shifts: Int32Array;
}

/** Room for a code of `symbolCount` symbols, to be used again and again. */
export function newCode(symbolCount: number, tableBits: number): Code {
  const table = new Uint16Array(1 << tableBits);
  return {
    lengths: new Uint8Array(symbolCount),
    table,
    pairs: new Uint32Array(table.buffer),
    tableBits,
    sorted: new Uint16Array(symbolCount),
    ends: new Int32Array(LONGEST + 1),
    shifts: new Int32Array(LONGEST + 1),
  };
}

/** What `prepare` makes of lengths. An empty code is fine where nothing is ever read with it. */
export type Verdict = "complete" | "empty" | "wrong";

const counts = new Int32Array(LONGEST + 1);
const places = new Int32Array(LONGEST + 1);
const present = new Uint16Array(1024);

/**
 * Makes `code` ready from its lengths. Wrong are lengths with one code word too many, and those that leave bits
 * that would mean nothing. In an empty code `findLong` finds nothing.
 */
export function prepare(code: Code): Verdict {
  const { lengths, table, pairs, tableBits, sorted, ends, shifts } = code;
  // Most symbols have no code word: a list of the others first, without a branch to be guessed wrong.
  let count = 0;
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    present[count] = symbol;
    count += (lengths[symbol]! + 31) >>> 5;
  }
  counts.fill(0);
  for (let index = 0; index < count; index++) counts[lengths[present[index]!]!]!++;
  let end = 0;
  let place = 0;
  for (let length = 1; length <= LONGEST; length++) {
    places[length] = place;
    shifts[length] = place - (end >>> (LONGEST - length));
    end += counts[length]! << (LONGEST - length);
    ends[length] = end;
    place += counts[length]!;
  }
  if (count === 0) table.fill(0);
  if (end !== 1 << LONGEST) return count === 0 ? "empty" : "wrong";
  for (let index = 0; index < count; index++) {
    const symbol = present[index]!;
    sorted[places[lengths[symbol]!]!++] = symbol;
  }
  let at = 0;
  place = 0;
  for (let length = 1; length < tableBits; length++) {
    const run = 1 << (tableBits - length - 1);
    for (const stop = place + counts[length]!; place < stop; place++) {
      const entry = (sorted[place]! << LENGTH_BITS) | length;
      const pair = (entry << 16) | entry;
      for (const until = at + run; at < until; at++) pairs[at] = pair;
    }
  }
  at *= 2;
  for (const stop = place + counts[tableBits]!; place < stop; place++) {
    table[at++] = (sorted[place]! << LENGTH_BITS) | tableBits;
  }
  table.fill(0, at);
  return "complete";
}

/** Symbol and length of the code word at the top of the 32 `bits`, which the table is too narrow for; 0: none. */
export function findLong(code: Code, bits: number): number {
  const next = bits >>> (32 - LONGEST);
  for (let length = code.tableBits + 1; length <= LONGEST; length++) {
    if (next < code.ends[length]!) {
      const symbol = code.sorted[(bits >>> (32 - length)) + code.shifts[length]!]!;
      return (symbol << LENGTH_BITS) | length;
    }
  }
  return 0;
}

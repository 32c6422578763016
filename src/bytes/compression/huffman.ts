/**
 * Canonical Huffman codes whose words are read from the highest bit down, as in XPRESS ([MS-XCA] 2.2.4) and LZX ([MS-PATCH]
 * 2.2): shorter words come first, and words of the same length are in the order of their symbols.
 *
 * A table, indexed by the next bits, returns symbol and length at once. Words that are longer than its index are rare. They are
 * found by comparison, since the words of each length are a range of numbers.
 */

/** An entry of the table, and a result of `findLong`: the length of the word in the lowest five bits, above them the symbol. */
export const LENGTH_BITS = 5;
export const LENGTH_MASK = 31;

/** Bits of the longest code word: LZX's. */
const LONGEST = 16;

export interface Code {
  /** The length of each symbol's word; 0 if it has none. The caller fills this before `prepare`. */
  readonly lengths: Uint8Array;
  /** By the next `tableBits` bits: an entry, or 0 if the word is longer. */
  readonly table: Uint16Array;
  /** The same memory, two entries in each element. */
  readonly pairs: Uint32Array;
  readonly tableBits: number;
  /** All symbols in the order of their code words. */
  readonly sorted: Uint16Array;
  /** By length: the first 16 bits past the last code word of that length or less. */
  readonly ends: Int32Array;
  /** By length: what to add to a word to get the index of its symbol in `sorted`. */
  readonly shifts: Int32Array;
}

/** Creates a code of `symbolCount` symbols, which can be prepared any number of times. */
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

/** Whether lengths make a code. An empty code is valid as long as no word is read with it. */
export type Verdict = "complete" | "empty" | "wrong";

const counts = new Int32Array(LONGEST + 1);
const places = new Int32Array(LONGEST + 1);
const present = new Uint16Array(1024);

/**
 * Builds the tables of `code` from its lengths. Lengths are wrong if they make too many words, or if they leave sequences of
 * bits without a meaning. In an empty code, `findLong` finds nothing.
 */
export function prepare(code: Code): Verdict {
  const { lengths, table, pairs, tableBits, sorted, ends, shifts } = code;
  // Most symbols have no word. The others are listed first, without a branch that the processor could predict wrongly.
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

/** Returns the entry for a word longer than the table's index, which begins at the highest of the 32 `bits`; 0 if there is none. */
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

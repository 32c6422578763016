/** Chunks of LZX made by hand: with what the packing programs never write. */

/** Bits, the highest of each little-endian word first. */
export class LzxBuilder {
  readonly #words: number[] = [];
  readonly #bytes: Buffer[] = [];
  #word = 0;
  #count = 0;

  /** The lowest `count` bits of `value`. */
  bits(value: number, count: number): this {
    for (let bit = count - 1; bit >= 0; bit--) {
      this.#word = (this.#word << 1) | ((value >>> bit) & 1);
      if (++this.#count === 16) this.#endWord();
    }
    return this;
  }

  /** A stored block with the last distances in front. */
  stored(bytes: Buffer, distances: readonly number[]): this {
    this.bits(3, 3).bits(0, 1).bits(bytes.length, 16);
    this.bits(0, 16 - this.#count); // one bit at least
    this.#endBytes();
    const header = Buffer.alloc(12);
    distances.forEach((distance, index) => header.writeUInt32LE(distance, index * 4));
    this.#bytes.push(header, bytes, Buffer.alloc(bytes.length & 1));
    return this;
  }

  /**
   * The start of a block of `kind` that unpacks to `size` bytes, in which the code words of the main symbols
   * `used`, a power of two of them, are all as long as each other; in order, they are 0, 1, 2 … `before` are those
   * of the block before, if there was one with codes. There are no words in the code of lengths.
   */
  block(kind: number, size: number, used: readonly number[], before: readonly number[] = []): this {
    this.bits(kind, 3).bits(0, 1).bits(size, 16);
    if (kind === 2) for (let symbol = 0; symbol < 8; symbol++) this.bits(3, 3);
    const lengthOf = (symbols: readonly number[], symbol: number): number =>
      symbols.includes(symbol) ? Math.log2(symbols.length) : 0;
    const part = (
      from: number,
      to: number,
      symbols: readonly number[],
      previous: readonly number[],
    ): void => {
      // A pretree of twelve words of four bits, and eight of five.
      for (let symbol = 0; symbol < 20; symbol++) this.bits(symbol < 12 ? 4 : 5, 4);
      for (let symbol = from; symbol < to; symbol++) {
        const difference = (17 + lengthOf(previous, symbol) - lengthOf(symbols, symbol)) % 17;
        if (difference < 12) this.bits(difference, 4);
        else this.bits(24 + difference - 12, 5);
      }
    };
    part(0, 256, used, before);
    part(256, 496, used, before);
    part(0, 249, [], []);
    return this;
  }

  build(): Buffer {
    if (this.#count > 0) this.bits(0, 16 - this.#count);
    this.#endBytes();
    return Buffer.concat(this.#bytes);
  }

  #endWord(): void {
    this.#words.push(this.#word);
    this.#word = this.#count = 0;
  }

  #endBytes(): void {
    const bytes = Buffer.alloc(this.#words.length * 2);
    this.#words.forEach((word, index) => bytes.writeUInt16LE(word, index * 2));
    this.#bytes.push(bytes);
    this.#words.length = 0;
  }
}

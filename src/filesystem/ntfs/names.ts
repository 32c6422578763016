/** Names of a directory by the thousand, in columns: nothing is made for one before it is listed. */
import { mostNameBytes, writeName } from "../../bytes/utf16.js";

/** Bytes that there is room for at first; most directories need no more. */
const FIRST_ROOM = 2 ** 12;

export class NameList {
  /** Of each, the record that it leads to. */
  readonly numbers: number[] = [];
  /** How often that had been used by then; 0: not told. */
  readonly sequences: number[] = [];
  /** Where to go on after it. They ascend. */
  readonly cookies: number[] = [];
  readonly #ends: number[] = [];
  #bytes = Buffer.allocUnsafe(FIRST_ROOM);
  #used = 0;

  get count(): number {
    return this.numbers.length;
  }

  /** Adds the name in bytes `[from, to)` of `units`, UTF-16. */
  add(number: number, sequence: number, cookie: number, units: Buffer, from: number, to: number): void {
    const most = this.#used + mostNameBytes((to - from) / 2);
    if (most > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(2 * most);
      this.#bytes.copy(larger, 0, 0, this.#used);
      this.#bytes = larger;
    }
    this.#used = writeName(units, from, to, this.#bytes, this.#used);
    this.#ends.push(this.#used);
    this.numbers.push(number);
    this.sequences.push(sequence);
    this.cookies.push(cookie);
  }

  /** The names as a host has them, one behind the other. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Where in `bytes` name `index` begins; that of the number of names is the end. */
  start(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!;
  }

  /** Which name comes after `cookie`; undefined where no name here has it. */
  after(cookie: number): number | undefined {
    const index = this.cookies.indexOf(cookie);
    return index < 0 ? undefined : index + 1;
  }
}

/** Names of a directory by the thousand, in columns: nothing is made for one before it is listed. */
import { firstIndex } from "../../../bytes/integers.js";
import { mostNameBytes, writeName } from "../../../bytes/utf16.js";
import type { DiskError } from "../../../errors.js";
import { damagedEntryName } from "../../damaged-entry.js";

/** Names, and bytes of names, that there is room for at first; most directories need no more. */
const FIRST_COUNT = 2 ** 7;
const FIRST_ROOM = 2 ** 12;

/** In the place of the record number of a damaged entry: higher than any record's. */
export const NO_RECORD = 2 ** 52;

export class NameList {
  /** How many there are; there is room for more in the columns. */
  count = 0;
  /** Of each, the record that it leads to. */
  numbers = new Float64Array(FIRST_COUNT);
  /** How often that had been used by then; 0: not told. */
  sequences = new Uint16Array(FIRST_COUNT);
  /** Where to go on after it. They ascend. */
  cookies = new Float64Array(FIRST_COUNT);
  /** The names as a host has them, one behind the other. */
  bytes = Buffer.allocUnsafe(FIRST_ROOM);
  /** Why entries are damaged, by index; undefined where none is. */
  problems: Map<number, DiskError> | undefined;
  #ends = new Uint32Array(FIRST_COUNT);

  /** Adds the name in bytes `[from, to)` of `units`, UTF-16. */
  add(number: number, sequence: number, cookie: number, units: Buffer, from: number, to: number): void {
    const used = this.#reserve(mostNameBytes((to - from) / 2));
    this.#append(number, sequence, cookie, writeName(units, from, to, this.bytes, used));
  }

  /** Adds the damaged entry at `position` of the directory. */
  addDamaged(position: number, cookie: number, problem: DiskError): void {
    const name = damagedEntryName(position);
    const used = this.#reserve(name.length);
    this.problems ??= new Map();
    this.problems.set(this.count, problem);
    this.#append(NO_RECORD, 0, cookie, used + name.copy(this.bytes, used));
  }

  /** Where in `bytes` name `index` begins; that of the number of names is the end. */
  start(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!;
  }

  /** Which name comes after `cookie`; undefined where no name here has it. */
  after(cookie: number): number | undefined {
    const low = firstIndex(this.count, (index) => this.cookies[index]! >= cookie);
    return low < this.count && this.cookies[low] === cookie ? low + 1 : undefined;
  }

  /** Makes room for another name of up to `length` bytes. @returns where it begins. */
  #reserve(length: number): number {
    if (this.count === this.numbers.length) this.#grow();
    const used = this.start(this.count);
    if (used + length > this.bytes.length) {
      const larger = Buffer.allocUnsafe(2 * (used + length));
      this.bytes.copy(larger, 0, 0, used);
      this.bytes = larger;
    }
    return used;
  }

  #append(number: number, sequence: number, cookie: number, end: number): void {
    const index = this.count++;
    this.#ends[index] = end;
    this.numbers[index] = number;
    this.sequences[index] = sequence;
    this.cookies[index] = cookie;
  }

  #grow(): void {
    const count = 2 * this.count;
    const larger = <T extends Float64Array | Uint16Array | Uint32Array>(column: T, into: T): T => {
      into.set(column);
      return into;
    };
    this.numbers = larger(this.numbers, new Float64Array(count));
    this.sequences = larger(this.sequences, new Uint16Array(count));
    this.cookies = larger(this.cookies, new Float64Array(count));
    this.#ends = larger(this.#ends, new Uint32Array(count));
  }
}

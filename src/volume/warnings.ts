import { CorruptError, DiskError, type Complaint } from "../errors.js";

/** A hostile table has thousands of odd entries; past this many complaints nobody reads on. */
const MAX_WARNINGS = 64;

/** The complaints about one table that did not stop us, in the words of an error. */
export class Warnings {
  readonly #kept: string[] = [];
  #count = 0;

  add(complaint: Complaint | DiskError): void {
    if (++this.#count > MAX_WARNINGS) return;
    this.#kept.push((complaint instanceof DiskError ? complaint : new CorruptError(complaint)).message);
  }

  list(): readonly string[] {
    const more = this.#count - this.#kept.length;
    return more === 0 ? this.#kept : [...this.#kept, `and ${more} more`];
  }
}

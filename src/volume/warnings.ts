import { CorruptError, DiskError, type Complaint } from "../errors.js";

/** A hostile table has thousands of odd entries: only so many warnings are printed. */
const MAX_WARNINGS = 64;

/** Warnings about one table, worded like errors. */
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

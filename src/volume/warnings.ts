import { CorruptError, DiskError, type Complaint } from "../errors.js";

/** Warnings that are kept: a hostile table may have thousands of damaged entries. */
const MAX_WARNINGS = 64;

/** The warnings about one table, in the form of error messages. */
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

/** The names of a directory's index as a page under construction: the node numbers are still record numbers. */
import { mostNameBytes, writeName } from "../../../bytes/utf16.js";
import type { DiskError } from "../../../errors.js";
import { UNKNOWN_TYPE } from "../../attributes.js";
import { damagedEntryName } from "../../damaged-entry.js";
import { PageBuilder } from "../../page-builder.js";

export class IndexNames {
  readonly page = new PageBuilder();
  /** The sequence number that the index has for each file; 0 if it has none. */
  sequences = new Uint16Array(this.page.ids.length);

  /** Adds the name in bytes `[from, to)` of `units`, UTF-16, of the file at record `number`. */
  add(number: number, sequence: number, cookie: number, units: Buffer, from: number, to: number): void {
    const { page } = this;
    const start = page.reserve(mostNameBytes((to - from) / 2));
    page.addWritten(number, UNKNOWN_TYPE, cookie, writeName(units, from, to, page.names, start));
    if (page.count > this.sequences.length) {
      const larger = new Uint16Array(page.ids.length);
      larger.set(this.sequences);
      this.sequences = larger;
    }
    this.sequences[page.count - 1] = sequence;
  }

  /** Adds the damaged entry at `position` of the directory. */
  addDamaged(position: number, cookie: number, problem: DiskError): void {
    this.page.addDamaged(damagedEntryName(position), cookie, problem);
  }
}

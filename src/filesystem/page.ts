/**
 * A page: some entries of a directory, in columns. A walk lists hundreds of thousands of entries, and an object for each of
 * them took the largest part of its time. `entries.ts` makes objects of them for callers that have few.
 */
import type { DiskError } from "../errors.js";
import type { StopSignal } from "../extent/time-slice.js";
import type { MutableAttributes } from "./attributes.js";

export interface DirectoryPage {
  /** How many entries it has. The columns may be longer. */
  readonly count: number;
  /** The nodes; NO_NODE (damaged-entry.ts) for an entry that is damaged. */
  readonly ids: Float64Array;
  /** The inode numbers to show. */
  readonly inodes: Float64Array;
  /** The types, as TYPE_CODES (attributes.ts); 0 for a type that the directory does not state. */
  readonly types: Uint8Array;
  /** Where a listing continues after each entry: numbers from 1 to 2^53 - 1, ascending, which keep their meaning. */
  readonly cookies: Float64Array;
  /** The names. Name `i` is bytes `[nameStarts[i], nameStarts[i + 1])` of `names`. */
  readonly names: Buffer;
  readonly nameStarts: Uint32Array;
  /** Why entries are damaged (damaged-entry.ts), by index. A look-up of such an entry's name throws this error. */
  readonly problems: ReadonlyMap<number, DiskError>;
  /** Whether it is known that no entries follow. A page without entries is always the last. */
  readonly isLast: boolean;
  /**
   * Sets `into` to the attributes of entry `index`. Returns false if the page does not have them: `NodeTree.attributes`
   * reads them, or throws the reason.
   */
  readAttributes(index: number, into: MutableAttributes): boolean;
}

/** What a caller of `NodeTree.page` needs. */
export interface PageOptions {
  /** How many entries: the page has about as many. By default, it is as large as is efficient for reading on. */
  readonly limit?: number | undefined;
  /** Whether the attributes are needed, if they have to be read for that; false by default. */
  readonly attributes?: boolean | undefined;
  readonly signal?: StopSignal | undefined;
}

/** Makes pages of directories, entry by entry. */
import type { DiskError } from "../errors.js";
import { NO_NODE } from "./damaged-entry.js";
import { UNKNOWN_TYPE, type MutableAttributes } from "./attributes.js";
import type { NodeId } from "./filesystem.js";
import type { DirectoryPage } from "./page.js";

/** Entries, and bytes of names, for which there is room at first: most directories have fewer. */
const FIRST_COUNT = 32;
const FIRST_NAME_BYTES = 1024;

const NO_PROBLEMS: ReadonlyMap<number, DiskError> = new Map();

/** Sets `into` to the attributes of an entry, or returns false: see DirectoryPage. */
export type ReadAttributes = (index: number, into: MutableAttributes) => boolean;

const noAttributes: ReadAttributes = () => false;

export class PageBuilder {
  count = 0;
  ids = new Float64Array(FIRST_COUNT);
  types = new Uint8Array(FIRST_COUNT);
  cookies = new Float64Array(FIRST_COUNT);
  names = Buffer.allocUnsafe(FIRST_NAME_BYTES);
  #nameStarts = new Uint32Array(FIRST_COUNT + 1);
  #problems: Map<number, DiskError> | undefined;

  /** Adds an entry whose name is bytes `[from, to)` of `bytes`. */
  add(id: NodeId, typeCode: number, cookie: number, bytes: Buffer, from = 0, to = bytes.length): void {
    let end = this.reserve(to - from);
    const { names } = this;
    for (let at = from; at < to; at++) names[end++] = bytes[at]!; // faster than a call, for so few bytes
    this.addWritten(id, typeCode, cookie, end);
  }

  /** Adds a damaged entry, under the name that says so (damaged-entry.ts). */
  addDamaged(name: Buffer, cookie: number, problem: DiskError): void {
    this.#problems ??= new Map();
    this.#problems.set(this.count, problem);
    this.add(NO_NODE, UNKNOWN_TYPE, cookie, name);
  }

  isDamaged(index: number): boolean {
    return this.#problems?.has(index) === true;
  }

  /** Makes room for another name of up to `length` bytes. Returns where in `names` it begins. */
  reserve(length: number): number {
    const start = this.#nameStarts[this.count]!;
    if (start + length > this.names.length) {
      const larger = Buffer.allocUnsafe(2 * (start + length));
      this.names.copy(larger, 0, 0, start);
      this.names = larger;
    }
    return start;
  }

  /** Adds an entry whose name was written to `names`, from where `reserve` said, to `nameEnd`. */
  addWritten(id: NodeId, typeCode: number, cookie: number, nameEnd: number): void {
    const index = this.count++;
    if (index === this.ids.length) this.#grow();
    this.ids[index] = id;
    this.types[index] = typeCode;
    this.cookies[index] = cookie;
    this.#nameStarts[index + 1] = nameEnd;
  }

  /**
   * The page of the entries that were added.
   * @param inodes the inode numbers to show, if they differ from `ids`.
   */
  finish(isLast: boolean, readAttributes = noAttributes, inodes = this.ids): DirectoryPage {
    const { count, ids, types, cookies, names } = this;
    const nameStarts = this.#nameStarts;
    const problems = this.#problems ?? NO_PROBLEMS;
    return {
      count,
      ids,
      inodes,
      types,
      cookies,
      names,
      nameStarts,
      problems,
      isLast: isLast || count === 0,
      readAttributes,
    };
  }

  #grow(): void {
    const length = 2 * this.ids.length;
    this.ids = copied(this.ids, new Float64Array(length));
    this.types = copied(this.types, new Uint8Array(length));
    this.cookies = copied(this.cookies, new Float64Array(length));
    this.#nameStarts = copied(this.#nameStarts, new Uint32Array(length + 1));
  }
}

function copied<T extends Float64Array | Uint8Array | Uint32Array>(column: T, into: T): T {
  into.set(column);
  return into;
}

/** Writes the entries of one reply to READDIR or READDIRPLUS. */
import { blankAttributes, TYPE_CODES, UNKNOWN_TYPE, type Attributes } from "../../filesystem/attributes.js";
import type { NodeId } from "../../filesystem/filesystem.js";
import { pageOf } from "../../filesystem/entries.js";
import { NO_NODE } from "../../filesystem/damaged-entry.js";
import type { DirectoryPage } from "../../filesystem/page.js";
import {
  AFTER_DOT,
  AFTER_DOT_DOT,
  direntSize,
  pageBody,
  writeDirent,
  writeDirentAttributes,
  writeDirentInode,
  type PageBody,
} from "../protocol/directory.js";

/** "." and "..", whose node numbers and attributes are added later. */
const DOTS = pageOf(
  [
    { name: Buffer.from("."), id: NO_NODE, type: "directory", cookie: AFTER_DOT },
    { name: Buffer.from(".."), id: NO_NODE, type: "directory", cookie: AFTER_DOT_DOT },
  ],
  false,
);

/** The attributes of the entry that is being written. */
const current = blankAttributes();

/** What the writer needs of its server. */
export interface EntrySource {
  /** The attributes of a node; undefined if they are damaged: the entry is listed without them. */
  attributesOf(id: NodeId): Promise<Attributes | undefined>;
  /** Logs an error. */
  report(error: unknown): unknown;
}

export class ReplyWriter {
  /** Bytes of entries. */
  used = 0;
  /** Whether an entry did not fit. */
  isFull = false;
  /** The cookie of the last entry. */
  last: number | undefined;
  /** The entries but "." and "..": their nodes, NO_NODE for a damaged one, and their types, as TYPE_CODES. */
  readonly ids: NodeId[] = [];
  readonly types: number[] = [];

  readonly #source: EntrySource;
  readonly #body: PageBody;
  readonly #limit: number;
  readonly #plus: boolean;
  readonly #isShort: boolean;
  readonly #dotsAt = [-1, -1];
  readonly #waiting: Promise<void>[] = [];

  /**
   * @param out the reply, filled with zeros.
   * @param limit bytes of entries at most.
   * @param plus whether each entry has its attributes (READDIRPLUS).
   * @param isShort leaves out attributes that would have to be read.
   */
  constructor(source: EntrySource, out: Buffer, limit: number, plus: boolean, isShort: boolean) {
    this.#source = source;
    this.#body = pageBody(out);
    this.#limit = limit;
    this.#plus = plus;
    this.#isShort = isShort;
  }

  /** Adds "." and "..", or only "..". */
  addDots(withDot: boolean): void {
    for (let index = withDot ? 0 : 1; index < DOTS.count; index++) {
      const at = this.#addName(DOTS, index);
      if (at < 0) return;
      this.#dotsAt[index] = at;
    }
  }

  get hasDotDot(): boolean {
    return this.#dotsAt[1]! >= 0;
  }

  /** Adds the attributes of ".". */
  setDot(id: NodeId, attributes: Attributes): void {
    const at = this.#dotsAt[0]!;
    if (at >= 0) writeDirentAttributes(this.#body, at, id, attributes, this.#plus);
  }

  /** Adds the inode number of "..". */
  setDotDot(inode: number): void {
    writeDirentInode(this.#body, this.#dotsAt[1]!, inode, this.#plus);
  }

  /** Adds the entries of `page` from index `from` on, as far as there is room. Returns the index of the first that is not added. */
  add(page: DirectoryPage, from: number): number {
    let index = from;
    for (; index < page.count; index++) {
      const at = this.#addName(page, index);
      if (at < 0) break;
      const problem = page.problems.size === 0 ? undefined : page.problems.get(index);
      if (problem === undefined) this.#addNode(page, index, at);
      else {
        // Node number 0 makes the kernel look the name up, which fails with the same error. Source: fs/fuse/readdir.c.
        this.#source.report(problem);
        this.ids.push(NO_NODE);
        this.types.push(UNKNOWN_TYPE);
      }
    }
    return index;
  }

  /** Waits until all entries have their attributes. */
  async finish(): Promise<void> {
    if (this.#waiting.length > 0) await Promise.all(this.#waiting);
  }

  /** Writes entry `index` of `page` without its node. Returns where; -1 if there is no room. */
  #addName(page: DirectoryPage, index: number): number {
    const at = this.used;
    const end = at + direntSize(page.nameStarts[index + 1]! - page.nameStarts[index]!, this.#plus);
    this.isFull = end > this.#limit;
    if (this.isFull) return -1;
    writeDirent(this.#body, at, page, index, this.#plus);
    this.used = end;
    this.last = page.cookies[index]!;
    return at;
  }

  /** Adds the attributes of entry `index` of `page`, which is at `at`. */
  #addNode(page: DirectoryPage, index: number, at: number): void {
    const id = page.ids[index]!;
    const type = page.types[index]!;
    this.ids.push(id);
    if (page.readAttributes(index, current)) {
      writeDirentAttributes(this.#body, at, id, current, this.#plus);
      this.types.push(TYPE_CODES[current.type]);
      return;
    }
    const position = this.types.push(type) - 1;
    if (this.#isShort && type !== UNKNOWN_TYPE)
      writeDirentInode(this.#body, at, page.inodes[index]!, this.#plus);
    else this.#waiting.push(this.#readNode(id, at, position));
  }

  async #readNode(id: NodeId, at: number, position: number): Promise<void> {
    const attributes = await this.#source.attributesOf(id);
    if (attributes === undefined) return;
    writeDirentAttributes(this.#body, at, id, attributes, this.#plus);
    this.types[position] = TYPE_CODES[attributes.type];
  }
}

/**
 * Finds a name in a directory. The first look-up reads all of the directory and keeps a hash and a position for each name;
 * later ones read one entry. This works with and without a hash tree on disk, whatever its hash, and for damaged
 * directories as far as they can be read.
 */
import { isUtf8 } from "node:buffer";
import { HostError, type DiskError } from "../../errors.js";
import { loadingCache } from "../../extent/loading.js";
import type { StopSignal } from "../../extent/time-slice.js";
import { hashOf, INDEX_LIMIT, PositionIndex } from "../positions.js";
import { damagedEntryPosition } from "../damaged-entry.js";
import { entriesOf, partsOf, partWith, rulesOf } from "./directory.js";
import { entryAt, type Entry } from "./entry.js";
import { InodeFlag, type Inode } from "./inode.js";
import type { Medium } from "./medium.js";

/** Bytes of indexes that one file system keeps. */
const INDEX_CACHE_BYTES = INDEX_LIMIT;

/** Entries lie at multiples of four bytes; a position is kept as a number of them. */
const WORD = 4;

interface Index {
  readonly positions: PositionIndex;
  /** Why some names could not be read. */
  readonly damage?: DiskError;
}

export interface Names {
  /**
   * The inode that `name` in directory `inode` belongs to.
   * @throws {DiskError} if it is not found, but a part of the directory is damaged.
   * @throws {Interrupted} once `signal` is aborted. The index of the directory is completed nevertheless: other look-ups
   * may wait for it, and later ones need it.
   */
  find(inode: Inode, name: Buffer, signal?: StopSignal): Promise<number | undefined>;
}

export function namesOf(medium: Medium): Names {
  const indexes = loadingCache<number, Index, Inode>(
    INDEX_CACHE_BYTES,
    ({ positions }) => positions.size,
    (_number, inode) => buildIndex(inode),
  );

  async function buildIndex(inode: Inode): Promise<Index> {
    const index: { positions: PositionIndex; damage?: DiskError } = { positions: new PositionIndex() };
    for await (const parts of partsOf(medium, inode, 0)) {
      for (const part of parts) {
        const damage = entriesOf(medium, inode, part, ({ name, position, storedName }) => {
          index.positions.add(hashOf(keyOf(inode, storedName ?? name)), position / WORD);
        });
        if (damage !== undefined) index.damage ??= damage;
      }
      if (!index.positions.isUsable) return index;
    }
    return index;
  }

  /** Finds `name` by reading all of the directory. */
  async function scan(inode: Inode, name: Buffer, signal?: StopSignal): Promise<number | undefined> {
    const match = new Match(inode, name);
    let damage: DiskError | undefined;
    for await (const parts of partsOf(medium, inode, 0, undefined, signal)) {
      for (const part of parts) {
        const error = entriesOf(medium, inode, part, (entry) => {
          match.consider(entry);
        });
        if (match.isExact) return match.node();
        damage ??= error;
      }
    }
    return match.node(damage);
  }

  /** Throws the error of the damaged entry that is listed as `name`, if there is one. */
  async function throwListedProblem(inode: Inode, name: Buffer): Promise<void> {
    const position = damagedEntryPosition(name);
    const part = position === undefined ? undefined : await partWith(medium, inode, position);
    if (part === undefined) return;
    const problems: DiskError[] = [];
    entriesOf(medium, inode, part, (entry) => {
      if (entry.position === position && entry.problem !== undefined) problems.push(entry.problem);
    });
    if (problems[0] !== undefined) throw problems[0];
  }

  return {
    async find(inode, name, signal) {
      const index = await indexes.load(inode.number, inode);
      if (index.damage instanceof HostError) indexes.forget(inode.number); // the next look-up may succeed
      if (!index.positions.isUsable) return scan(inode, name, signal);
      const match = new Match(inode, name);
      const rules = rulesOf(medium, inode);
      for (const word of index.positions.find(hashOf(keyOf(inode, name)))) {
        const position = word * WORD;
        const part = await partWith(medium, inode, position);
        const entry = part && entryAt(part, rules, position);
        if (entry !== undefined) match.consider(entry);
        if (match.isExact) break;
      }
      if (!match.isFound) await throwListedProblem(inode, name);
      return match.node(index.damage);
    },
  };
}

/** The entry for a name: the one with exactly this name, else one whose name differs only in case. */
class Match {
  readonly #inode: Inode;
  readonly #name: Buffer;
  readonly #key: Buffer;
  #exact: Entry | undefined;
  #similar: Entry | undefined;

  constructor(inode: Inode, name: Buffer) {
    this.#inode = inode;
    this.#name = name;
    this.#key = keyOf(inode, name);
  }

  consider(entry: Entry): void {
    const name = entry.storedName ?? entry.name;
    if (name.equals(this.#name)) {
      if (this.#exact === undefined || this.#exact.problem !== undefined) this.#exact = entry;
    } else if (this.#key !== this.#name && keyOf(this.#inode, name).equals(this.#key))
      this.#similar ??= entry;
  }

  /** Whether an entry of exactly this name, and a sound one, was found. */
  get isExact(): boolean {
    return this.#exact !== undefined && this.#exact.problem === undefined;
  }

  get isFound(): boolean {
    return this.#exact !== undefined || this.#similar !== undefined;
  }

  /**
   * The inode of the entry, or undefined if there is none.
   * @throws {DiskError} if the entry is damaged, or `damage` may have hidden it.
   */
  node(damage?: DiskError): number | undefined {
    const entry = this.#exact ?? this.#similar;
    const problem = entry === undefined ? damage : entry.problem;
    if (problem !== undefined) throw problem;
    return entry?.inode;
  }
}

/** The form in which names of one directory are compared: their bytes, or folded in a case-insensitive directory. */
function keyOf(inode: Inode, name: Buffer): Buffer {
  if ((inode.flags & InodeFlag.casefold) === 0 || !isUtf8(name)) return name;
  return Buffer.from(name.toString("utf8").normalize("NFKD").toLowerCase().normalize("NFKD"));
}

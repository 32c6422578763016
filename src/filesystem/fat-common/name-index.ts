/** Where the names of one directory are, by hash. It grows as look-ups read the directory: no slot is read twice for it. */
import { HostError, type DiskError } from "../../errors.js";
import { PositionIndex } from "../positions.js";
import type { Batch, entriesOf } from "./directory.js";

/** Bytes that an index takes in memory besides its positions, about. */
const OVERHEAD = 1024;

export class NameIndex {
  readonly #batches: ReturnType<typeof entriesOf>;
  readonly #hashOf: (name: Buffer) => number;
  readonly #positions = new PositionIndex();
  #reading: Promise<void> | undefined;
  /** Slots whose names are in the index. */
  indexedSlots = 0;
  /** True once the whole directory was read. */
  isWhole = false;
  /** What kept some names from being read. */
  problem: DiskError | undefined;

  /** @param batches the directory's entries, from the first slot on. */
  constructor(batches: ReturnType<typeof entriesOf>, hashOfName: (name: Buffer) => number) {
    this.#batches = batches;
    this.#hashOf = hashOfName;
  }

  /** False if there are too many names, or too many of one hash. */
  get isUsable(): boolean {
    return this.#positions.isUsable;
  }

  /** True if the host failed to read a part: that may succeed another time. */
  get isRetryable(): boolean {
    return this.problem instanceof HostError;
  }

  /** Bytes. */
  get size(): number {
    return this.#positions.size + OVERHEAD;
  }

  /** The first slots of entries with a name or alias of this hash, as far as the directory was read. */
  find(hash: number): Iterable<number> {
    return [...this.#positions.find(hash)];
  }

  /** Reads the next part of the directory; callers at the same time share one read. */
  readOn(): Promise<void> {
    this.#reading ??= this.#readPart().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readPart(): Promise<void> {
    const next = await this.#batches.next();
    if (next.done === true) this.isWhole = true;
    else this.#add(next.value);
  }

  #add({ entries, problem, nextSlot }: Batch): void {
    this.problem ??= problem;
    for (const entry of entries) {
      this.problem ??= entry.problem;
      if (entry.problem !== undefined) continue;
      this.#positions.add(this.#hashOf(entry.name), entry.slot);
      if (entry.alias !== undefined) this.#positions.add(this.#hashOf(entry.alias), entry.slot);
    }
    this.indexedSlots = nextSlot;
  }
}

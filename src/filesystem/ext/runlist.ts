/** A list of runs as it grows: neighbours are joined, and its length is bounded. */
import { CorruptError, type DiskError } from "../../errors.js";
import { MAP_LIMIT } from "../../extent/extent.js";
import type { Medium } from "./medium.js";

/** A stretch of a file in blocks. */
export type BlockRun =
  /** `pointer` is the absolute byte of the record that maps it. */
  | { readonly kind: "at"; readonly count: number; readonly block: number; readonly pointer: number }
  | { readonly kind: "zero"; readonly count: number }
  | { readonly kind: "damaged"; readonly count: number; readonly error: DiskError };

/**
 * What the blocks `[first, end)` of a file are: in order, without gaps, that many or fewer, but at least one. The cost of
 * one call is bounded (`RunList.isFull`).
 */
export type BlockMapper = (first: number, end: number) => Promise<BlockRun[]>;

/** Blocks of a file's map that one call reads at most; a block that is cached counts, too. */
const TABLE_LIMIT = 64;

export class RunList {
  readonly runs: BlockRun[] = [];
  /** Blocks of the file's map that were read. */
  tableCount = 0;
  readonly #limit: number;
  readonly #complain: () => CorruptError;

  constructor({ volume, geometry }: Medium, inode: number) {
    // No file has more runs than the volume has blocks, with a hole between each two: more of them come from
    // tables that point at themselves.
    this.#limit = 2 * Math.ceil(volume.size / geometry.blockSize) + 2;
    this.#complain = () =>
      new CorruptError({
        file: volume.name,
        thing: `the number of pieces of inode ${inode}`,
        found: "greater than the volume's number of blocks",
        expected: "less; its tables of blocks form a loop",
      });
  }

  /** Whether the call should end with what it has. */
  get isFull(): boolean {
    return this.runs.length >= MAP_LIMIT || this.tableCount >= TABLE_LIMIT;
  }

  /** One block of a block map: a hole where it is 0. */
  block(block: number, pointer: number): void {
    if (block === 0) this.zero(1);
    else this.at(block, 1, pointer);
  }

  at(block: number, count: number, pointer: number): void {
    const last = this.runs.at(-1);
    if (last?.kind === "at" && last.block + last.count === block) {
      this.runs[this.runs.length - 1] = { ...last, count: last.count + count };
    } else {
      this.#push({ kind: "at", block, count, pointer });
    }
  }

  zero(count: number): void {
    const last = this.runs.at(-1);
    if (last?.kind === "zero") this.runs[this.runs.length - 1] = { kind: "zero", count: last.count + count };
    else if (count > 0) this.#push({ kind: "zero", count });
  }

  damaged(count: number, error: DiskError): void {
    if (count > 0) this.#push({ kind: "damaged", count, error });
  }

  #push(run: BlockRun): void {
    if (this.runs.length >= this.#limit) throw this.#complain();
    this.runs.push(run);
  }
}

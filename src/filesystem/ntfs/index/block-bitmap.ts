/** The bitmap of an index: which of its blocks are in use. A part of it at a time is in memory. */
import type { BlockSource } from "../../../extent/extent.js";
import { read } from "../../../extent/read.js";
import { yieldIfDue, type StopSignal } from "../../../extent/time-slice.js";

/** Bytes of a part, and the blocks that it tells of. */
const PART_SIZE = 4096;
const PART_BLOCKS = PART_SIZE * 8;

interface Part {
  /** The block of its first bit. */
  readonly start: number;
  /** Fewer than PART_SIZE at the end of the bitmap; none behind it. */
  readonly bytes: Buffer;
}

/** Adjacent blocks. */
export interface BlockRun {
  readonly first: number;
  readonly count: number;
}

export class BlockBitmap {
  readonly #open: () => Promise<BlockSource>;
  #source: BlockSource | undefined;
  #part: Part | undefined;

  /** @param open opens the bitmap, when it is first needed. */
  constructor(open: () => Promise<BlockSource>) {
    this.#open = open;
  }

  /** Whether block `number` is in use; undefined if that part of the bitmap is not in memory. */
  peek(number: number): boolean | undefined {
    const part = this.#loaded(number);
    return part && isSet(part, number);
  }

  /** Whether block `number` is in use. @throws {DiskError} if the bitmap cannot be read. */
  async isInUse(number: number): Promise<boolean> {
    return isSet(this.#loaded(number) ?? (await this.#load(number)), number);
  }

  /**
   * The next blocks in use from block `from` on: at most `most`, all before block `end`. Undefined if there are none.
   * @throws {Interrupted} once `signal` is aborted.
   */
  async nextRun(from: number, end: number, most: number, signal?: StopSignal): Promise<BlockRun | undefined> {
    for (let at = from; at < end;) {
      const turn = yieldIfDue(signal);
      if (turn !== undefined) await turn;
      const part = this.#loaded(at) ?? (await this.#load(at));
      if (part.bytes.length === 0) return undefined; // the bitmap has ended: no block behind it is in use
      const first = nextSet(part, at);
      if (first < Math.min(end, part.start + PART_BLOCKS))
        return { first, count: countSet(part, first, Math.min(first + most, end)) };
      at = first;
    }
    return undefined;
  }

  #loaded(number: number): Part | undefined {
    return this.#part?.start === startOf(number) ? this.#part : undefined;
  }

  async #load(number: number): Promise<Part> {
    this.#source ??= await this.#open();
    const start = startOf(number);
    const length = Math.min(PART_SIZE, this.#source.size - start / 8);
    const bytes = length > 0 ? await read(this.#source, start / 8, length) : Buffer.alloc(0);
    return (this.#part = { start, bytes });
  }
}

/** The first block of the part that tells of block `number`. */
function startOf(number: number): number {
  return number - (number % PART_BLOCKS);
}

function isSet({ start, bytes }: Part, number: number): boolean {
  return ((bytes[(number - start) >>> 3] ?? 0) & (1 << (number & 7))) !== 0;
}

/** The first block from `number` on whose bit is set; the first behind the part if there is none. */
function nextSet({ start, bytes }: Part, number: number): number {
  const end = start + PART_BLOCKS;
  for (let at = number; at < end;) {
    const byte = bytes[(at - start) >>> 3] ?? 0;
    if (byte >>> (at & 7) === 0) at += 8 - (at & 7);
    else if ((byte & (1 << (at & 7))) !== 0) return at;
    else at++;
  }
  return end;
}

/** How many blocks from `first` on, before `end`, have their bits set; all are within the part. */
function countSet(part: Part, first: number, end: number): number {
  const limit = Math.min(end, part.start + PART_BLOCKS);
  let at = first + 1;
  while (at < limit && isSet(part, at)) at++;
  return at - first;
}

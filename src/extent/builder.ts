/**
 * Builds the answer to one call of `map`: a list of extents, or of a file's runs. Drivers add what they find, from the
 * beginning of the first block or cluster on; the builder keeps the part that was asked for, joins adjacent runs, marks
 * what does not exist as damaged, and ends the list at its longest length.
 */
import { CorruptError, type DiskError } from "../errors.js";
import type { Storage } from "../storage/storage.js";
import { append, MAP_LIMIT, slice, type VolumeRun, type LayerExtent, type Piece } from "./extent.js";

/** Bytes `[start, end)` of a file or a volume. */
export interface Bounds {
  readonly start?: number;
  readonly end: number;
}

export class Builder<E extends Piece> {
  readonly list: E[] = [];
  #skip: number;
  #left: number;
  readonly #limit: number;

  /** Keeps `length` bytes of what is added, after the first `skip` bytes, as `limit` extents at most. */
  constructor(skip = 0, length = Infinity, limit = MAP_LIMIT) {
    this.#skip = skip;
    this.#left = length;
    this.#limit = limit;
  }

  /** Whether nothing more is kept: all bytes are there, or as many extents as there may be. */
  get isFull(): boolean {
    return this.#left <= 0 || this.list.length >= this.#limit;
  }

  /** Adds `piece`, joined to the one before if it continues it. Does nothing once the list is full. */
  add(piece: E): void {
    if (this.isFull) return;
    if (piece.length <= this.#skip) {
      this.#skip -= piece.length;
      return;
    }
    const length = Math.min(piece.length - this.#skip, this.#left);
    append(this.list, slice(piece, this.#skip, length));
    this.#left -= length;
    this.#skip = 0;
  }

  addAll(pieces: readonly E[]): void {
    for (const piece of pieces) this.add(piece);
  }
}

type Located = VolumeRun | Extract<LayerExtent, { kind: "stored" }>;
type Damaged = Extract<LayerExtent, { kind: "damaged" }>;

/**
 * Adds `piece`. What of it lies outside of `bounds` is damaged.
 * @param problem the error for `length` bytes from `offset` on, which do not exist.
 */
export function addWithin<E extends Located>(
  builder: { add(piece: NoInfer<E> | Damaged): void },
  piece: E,
  { start = 0, end }: Bounds,
  problem: (offset: number, length: number) => DiskError,
): void {
  const { offset, length } = piece;
  const before = Math.max(0, Math.min(length, start - offset));
  const inside = Math.max(0, Math.min(length, end - offset) - before);
  const behind = length - before - inside;
  if (before > 0) builder.add({ kind: "damaged", length: before, error: problem(offset, before) });
  if (inside > 0) builder.add(slice(piece, before, inside));
  if (behind > 0) {
    const error = problem(offset + before + inside, behind);
    builder.add({ kind: "damaged", length: behind, error });
  }
}

/** Adds `length` bytes of `storage` from `offset` on. What lies behind the file's end is damaged. */
export function addStored(
  builder: Builder<LayerExtent>,
  storage: Storage,
  offset: number,
  length: number,
): void {
  addWithin(
    builder,
    { kind: "stored", storage, offset, length },
    { end: storage.size },
    (missing) =>
      new CorruptError({
        file: storage.name,
        offset: missing,
        thing: "the file's end",
        found: `byte ${storage.size}`,
        expected: `byte ${offset + length} or behind it; the image is cut short`,
      }),
  );
}

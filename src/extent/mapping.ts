/** Maps whole ranges of a source, by as many calls of its `map` as are needed. */
import { append, lengthOf, type BlockSource, type Extent } from "./extent.js";
import { yieldIfDue, type StopSignal } from "./time-slice.js";

/**
 * What `[offset, offset + length)` of `source` consists of, piece by piece: each is what one call of `map` has returned.
 * Others are served between the pieces.
 * @throws {Interrupted} once `signal` is aborted.
 */
export async function* mapPieces(
  source: BlockSource,
  offset: number,
  length: number,
  signal?: StopSignal,
): AsyncGenerator<Extent[], void, undefined> {
  for (let at = offset; at < offset + length;) {
    const turn = yieldIfDue(signal);
    if (turn !== undefined) await turn;
    const extents = await source.map(at, offset + length - at);
    at += coveredBytes(source, at, extents);
    yield extents;
  }
}

/**
 * What `[offset, offset + length)` of `source` consists of, all of it: for ranges of which it is known how many extents
 * they can have.
 * @throws {Interrupted} once `signal` is aborted.
 */
export async function mapAll(
  source: BlockSource,
  offset: number,
  length: number,
  signal?: StopSignal,
): Promise<Extent[]> {
  if (length === 0) return [];
  const extents = await source.map(offset, length);
  const done = coveredBytes(source, offset, extents);
  if (done === length) return extents; // the usual case
  const all = [...extents];
  for await (const piece of mapPieces(source, offset + done, length - done, signal))
    for (const extent of piece) append(all, extent);
  return all;
}

/**
 * Bytes that `extents` cover, which `source` has returned for a range that begins at `offset`.
 * @throws {RangeError} when they are none: a bug of the source's, which a loop must not repeat for ever.
 */
export function coveredBytes(source: BlockSource, offset: number, extents: readonly Extent[]): number {
  const length = lengthOf(extents);
  if (length > 0) return length;
  throw new RangeError(`${source.name}: nothing is mapped at byte ${offset}`);
}

/**
 * Reads many inodes in the order in which they lie on the volume. A hash tree lists names in an order of its own: read
 * one after the other as they are listed, each inode of a large directory costs a read of a whole page.
 */
import { BufferPool } from "../../bytes/pool.js";
import { DiskError } from "../../errors.js";
import { readInto } from "../../extent/read.js";
import { yieldIfDue, type StopSignal } from "../../extent/time-slice.js";
import { groupOf } from "./group.js";
import type { Medium } from "./medium.js";

/** Bytes that are read at once at most. */
const STRETCH_SIZE = 256 * 2 ** 10;

/** Bytes between two inodes that are read along with them: a read of its own takes longer. */
const GAP_LIMIT = 16 * 2 ** 10;

/** Buffers that are kept for further sweeps. */
const BUFFERS_KEPT = 2;

/** More inodes than one sweep reads; times 2^32, the limit of their numbers, it is within 2^53. */
const ORDER_UNIT = 2 ** 20;

const buffers = new BufferPool(STRETCH_SIZE, BUFFERS_KEPT);

/**
 * Reads inodes `numbers[0]` to `numbers[count - 1]`, fewer than 2^20, to `bytes`. What cannot be read is left out: reading
 * that inode alone throws the error.
 * @param offsetOf resolves to the byte where an inode lies.
 * @returns 1 for each inode that was read.
 * @throws {Interrupted} once `signal` is aborted.
 */
export async function sweepInodes(
  { volume, geometry }: Medium,
  offsetOf: (number: number) => Promise<number>,
  numbers: ArrayLike<number>,
  count: number,
  bytes: Buffer,
  signal?: StopSignal,
): Promise<Uint8Array> {
  const { inodeSize, inodeCount } = geometry;
  const isRead = new Uint8Array(count);
  const order = inOrder(numbers, count);
  const numberAt = (at: number): number => Math.floor(order[at]!);
  const indexAt = (at: number): number => (order[at]! - numberAt(at)) * ORDER_UNIT;

  /** Reads the inodes at `[from, to)` of `order`, which are of one table. */
  async function readStretch(from: number, to: number): Promise<void> {
    const first = numberAt(from);
    const stretch = buffers.take((numberAt(to - 1) + 1 - first) * inodeSize);
    try {
      const start = await offsetOf(first);
      if (start + stretch.length > volume.size) return; // the volume is cut short
      await readInto(volume, stretch, start);
      for (let at = from; at < to; at++) {
        const skip = (numberAt(at) - first) * inodeSize;
        stretch.copy(bytes, indexAt(at) * inodeSize, skip, skip + inodeSize);
        isRead[indexAt(at)] = 1;
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    } finally {
      buffers.give(stretch);
    }
  }

  for (let from = 0; from < order.length;) {
    const turn = yieldIfDue(signal);
    if (turn !== undefined) await turn;
    const first = numberAt(from);
    const group = groupOf({ geometry }, first);
    let to = from + 1;
    for (; to < order.length; to++) {
      const next = numberAt(to);
      const isNear = (next - numberAt(to - 1)) * inodeSize <= GAP_LIMIT;
      if (!isNear || (next + 1 - first) * inodeSize > STRETCH_SIZE || groupOf({ geometry }, next) !== group)
        break;
    }
    const isInside = first > 0 && numberAt(to - 1) <= inodeCount;
    if (isInside) await readStretch(from, to);
    from = to;
  }
  return isRead;
}

/** `numbers` in ascending order, each with its index as a fraction: numbers are sorted without a function that compares. */
function inOrder(numbers: ArrayLike<number>, count: number): Float64Array {
  const order = new Float64Array(count);
  for (let index = 0; index < order.length; index++) order[index] = numbers[index]! + index / ORDER_UNIT;
  return order.sort();
}

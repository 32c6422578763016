/**
 * The next bits of `input` for LZX, the highest bit of each 16-bit little-endian word first. They are counted, not
 * shifted out: a look at the next ones costs no branch.
 */
import { input, inputView } from "./scratch.js";

/** Turns the words of `[0, end)` of `input` to big-endian ones, so that its bits are in the order of its bytes. */
export function toBitOrder(end: number): void {
  input.subarray(0, Math.ceil(end / 2) * 2).swap16();
}

/** The bits from number `bit` on, 25 of them at least, at the top of 32. */
export function peek(bit: number): number {
  return inputView.getInt32(bit >>> 3) << (bit & 7);
}

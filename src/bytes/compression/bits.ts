/**
 * Reads the bits of `input` for LZX: words of 16 bits, little-endian, each from its highest bit down. Callers count the bits
 * that they have used, instead of shifting them out, so that reading the next ones needs no branch.
 */
import { input, inputView } from "./scratch.js";

/** Converts the words in `[0, end)` of `input` to big-endian, so that bits are in the order of bytes. */
export function toBitOrder(end: number): void {
  input.subarray(0, Math.ceil(end / 2) * 2).swap16();
}

/** Returns the bits from bit `bit` on as the highest of 32. At least 25 of them are valid. */
export function peek(bit: number): number {
  return inputView.getInt32(bit >>> 3) << (bit & 7);
}

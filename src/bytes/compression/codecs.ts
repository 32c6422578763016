/**
 * The table of all codecs. To add one, write its function and a row here. If the native addon should decode it, too, write
 * a function in C++ and a row of the same name in native-bindings/unpack.cc; without one, the function of this table is used
 * everywhere.
 */
import type { Place } from "./damage.js";
import { unpackDeflate } from "./deflate.js";
import { unpackLznt1 } from "./lznt1.js";
import { unpackLzx } from "./lzx.js";
import { unpackStored } from "./stored.js";
import { unpackXpress } from "./xpress.js";

/**
 * Decompresses `packed`. Resolves to exactly `size` bytes, in a buffer of the caller's own, and takes memory in proportion
 * to the sizes of both.
 * @throws {CorruptError} when `packed` is damaged, or has fewer bytes.
 */
export type Unpack = (packed: Uint8Array, size: number, place?: Place) => Buffer | Promise<Buffer>;

export const codecs = {
  stored: unpackStored,
  lznt1: unpackLznt1,
  xpress: unpackXpress,
  lzx: unpackLzx,
  deflate: unpackDeflate,
} as const satisfies Record<string, Unpack>;

export type Codec = keyof typeof codecs;

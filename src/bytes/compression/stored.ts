import { damaged, type Place } from "./damage.js";

/** A chunk that is not compressed: a copy of `packed`. @throws {CorruptError} when it does not have `size` bytes. */
export function unpackStored(
  packed: Uint8Array,
  size: number,
  place: Place = { file: "stored data" },
): Buffer {
  if (packed.length !== size)
    throw damaged(place, "the length of stored data", 0, `${packed.length} bytes`, `${size}`);
  return Buffer.from(packed);
}

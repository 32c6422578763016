/** Runs of a host file, which may end before they do. */
import { CorruptError } from "../errors.js";
import type { Storage } from "../storage/storage.js";
import { append, type LayerExtent } from "./extent.js";

/**
 * Appends `length` bytes of `storage` from `offset` on, joined to the extent before. What lies behind the file's end is
 * damaged.
 */
export function appendStored(extents: LayerExtent[], storage: Storage, offset: number, length: number): void {
  const inside = Math.max(0, Math.min(length, storage.size - offset));
  append(extents, { kind: "stored", storage, offset, length: inside });
  if (inside === length) return;
  const error = new CorruptError({
    file: storage.name,
    offset: offset + inside,
    thing: "the file's end",
    found: `byte ${storage.size}`,
    expected: `byte ${offset + length} or behind it; the image is cut short`,
  });
  append(extents, { kind: "damaged", length: length - inside, error });
}

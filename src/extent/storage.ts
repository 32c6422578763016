import type { Storage } from "../storage/storage.js";
import type { BlockSource } from "./extent.js";

/** The bytes of `storage` as they lie there: the bottom of every mapping. */
export function storageSource(storage: Storage): BlockSource {
  return {
    name: storage.name,
    size: storage.size,
    changes: storage.changes,
    map: async (offset, length) => (length === 0 ? [] : [{ kind: "stored", storage, offset, length }]),
  };
}

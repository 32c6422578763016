/** Reads many parts of files: with the addon in one call, otherwise one by one. */
import { settleAll } from "../bytes/settle.js";
import { loadAddon } from "./addon.js";
import { SMALL_READ } from "./file.js";
import { READ_FIELDS, setRead } from "./layouts.js";
import { descriptorOf, type Storage } from "./storage.js";

export interface StoredPart {
  readonly storage: Storage;
  /** Bytes into `storage`. */
  readonly offset: number;
  /** The buffer that its bytes fill. */
  readonly into: Uint8Array;
}

/** Parts that are read at the same time without the addon: as many as Node has threads for them. */
const PARALLEL_PARTS = 4;

/**
 * Fills all `parts`, which are views of `whole`. When the promise settles, no read is in progress any more.
 * @throws {DiskError} as `Storage.read`.
 */
export async function readStored(parts: readonly StoredPart[], whole: Uint8Array): Promise<void> {
  const addon = loadAddon();
  if (
    parts.length > 1 &&
    typeof addon === "object" &&
    parts.every(({ storage }) => descriptorOf(storage) >= 0)
  ) {
    const isCached = (part: StoredPart): boolean =>
      addon.readCached(descriptorOf(part.storage), part.into, part.offset) === part.into.length;
    if (whole.length <= SMALL_READ && parts.every(isCached)) return;
    const reads = new Float64Array(parts.length * READ_FIELDS);
    parts.forEach(({ storage, offset, into }, index) => {
      setRead(reads, index, descriptorOf(storage), offset, into.byteOffset - whole.byteOffset, into.length);
    });
    const releases = [...new Set(parts.map(({ storage }) => storage))].map((storage) => storage.hold?.());
    const isDone = await addon.readRuns(reads, whole).finally(() => {
      for (const release of releases) release?.();
    });
    if (isDone) return;
    // Reading them one by one throws the error.
  }
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < parts.length) {
      const { storage, offset, into } = parts[next++]!;
      await storage.read(into, offset);
    }
  };
  await settleAll(Array.from({ length: PARALLEL_PARTS }, work));
}

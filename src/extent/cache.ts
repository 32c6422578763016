/** Metadata is small and asked for again and again: pages of a source, kept within a bound. */
import { LRUCache } from "lru-cache";
import { CorruptError } from "../errors.js";
import type { BlockSource } from "./extent.js";
import { read } from "./read.js";

export interface CachedReader {
  /**
   * `length` bytes from `offset`. The buffer may be shared: it is not to be written to, and what must outlive
   * the next read is to be copied.
   * @throws {CorruptError} when the range leaves the source: a pointer found on disk is wrong.
   */
  read(offset: number, length: number): Promise<Buffer>;
}

/** Bytes a page. Large enough that a table is read in few calls, small enough that a stray pointer costs little. */
const PAGE_SIZE = 64 * 2 ** 10;

/** Bytes that one reader keeps unless told otherwise. */
const DEFAULT_LIMIT = 32 * 2 ** 20;

/** Pages of many sources within one bound: for readers that come by the hundred, one an image of a chain. */
export type PagePool = LRUCache<string, Buffer, () => Promise<Buffer>>;

/** A pool that keeps at most `limit` bytes. */
export function pagePool(limit: number): PagePool {
  return new LRUCache({
    maxSize: limit,
    sizeCalculation: (page) => page.length,
    fetchMethod: (_key, _stale, { context: load }) => load(),
  });
}

/** Distinguishes the readers of one pool. */
let readerCount = 0;

/** A reader of `source` that keeps its pages in a pool of its own, or in one that it shares. */
export function cachedReader(source: BlockSource, pool = pagePool(DEFAULT_LIMIT)): CachedReader {
  const reader = readerCount++;
  const page = async (index: number): Promise<Buffer> => {
    const start = index * PAGE_SIZE;
    const load = () => read(source, start, Math.min(PAGE_SIZE, source.size - start));
    const key = `${reader}/${index}`;
    return pool.get(key) ?? (await pool.fetch(key, { context: load })) ?? load();
  };

  return {
    async read(offset, length) {
      if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > source.size) {
        throw new CorruptError({
          file: source.name,
          offset,
          thing: `a pointer to ${length} bytes here`,
          expected: `within its ${source.size} bytes`,
        });
      }
      const first = Math.floor(offset / PAGE_SIZE);
      const skip = offset - first * PAGE_SIZE;
      try {
        if (skip + length <= PAGE_SIZE) return (await page(first)).subarray(skip, skip + length);
        const count = Math.ceil((skip + length) / PAGE_SIZE);
        const parts = await Promise.all(Array.from({ length: count }, (_, index) => page(first + index)));
        return Buffer.concat(parts).subarray(skip, skip + length);
      } catch {
        // Damage elsewhere in the page must not take this range with it; if it is here, this says so.
        return read(source, offset, length);
      }
    },
  };
}

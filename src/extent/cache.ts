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

export function cachedReader(source: BlockSource, limit = DEFAULT_LIMIT): CachedReader {
  const pages = new LRUCache<number, Buffer>({
    maxSize: limit,
    sizeCalculation: (page) => page.length,
    fetchMethod: (index) => {
      const start = index * PAGE_SIZE;
      return read(source, start, Math.min(PAGE_SIZE, source.size - start));
    },
  });
  const page = async (index: number): Promise<Buffer> => pages.get(index) ?? (await pages.fetch(index))!;

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

/** A bounded cache of a source's pages, for metadata: small pieces that are read again and again. */
import { withinMemory } from "../bytes/memory.js";
import { CorruptError, DiskError } from "../errors.js";
import type { BlockSource } from "./extent.js";
import { loadingCache, type LoadingCache } from "./loading.js";
import { read } from "./read.js";

export interface CachedReader {
  /**
   * Returns `length` bytes from `offset`. The buffer may be shared: do not write to it, and copy what must outlive the next
   * read.
   * @throws {CorruptError} when the range leaves the source: a pointer found on disk is wrong.
   */
  read(offset: number, length: number): Promise<Buffer>;
  /** Returns `length` bytes from `offset` if one cached page has all of them; otherwise undefined. */
  peek(offset: number, length: number): Buffer | undefined;
}

/** Bytes of a page: large enough to read a table in few calls, small enough that a stray pointer costs little. */
const PAGE_SIZE = 64 * 2 ** 10;

/** Bytes that one reader caches by default. */
const DEFAULT_LIMIT = withinMemory(16 * 2 ** 20);

/** One bounded cache for the pages of many sources: a chain has hundreds of images with a reader each. */
export interface PagePool {
  readonly pageSize: number;
  readonly pages: LoadingCache<number, Buffer, () => Promise<Buffer>>;
}

/** A pool of at most `limit` bytes. */
export function pagePool(limit: number, pageSize = PAGE_SIZE): PagePool {
  const pages: PagePool["pages"] = loadingCache(
    limit,
    (page) => page.length,
    (_key, load) => load(),
  );
  return { pageSize, pages };
}

/** Distinguishes the readers of one pool: a page's key is its reader times PAGES_LIMIT, plus its index. */
let readerCount = 0;
const PAGES_LIMIT = 2 ** 33;

/** Pages of a changed range that are dropped one by one; with more of them, all pages of the reader are dropped. */
const SINGLE_DROP_LIMIT = 1024;

/** A cached reader of `source`, with a pool of its own or a shared one. */
export function cachedReader(source: BlockSource, pool = pagePool(DEFAULT_LIMIT)): CachedReader {
  const { pages, pageSize } = pool;
  let firstKey = readerCount++ * PAGES_LIMIT;
  const pageCount = Math.ceil(source.size / pageSize);
  const page = (index: number): Promise<Buffer> => {
    const start = index * pageSize;
    return pages.load(firstKey + index, () => read(source, start, Math.min(pageSize, source.size - start)));
  };

  const acrossPages = async (offset: number, length: number): Promise<Buffer> => {
    const first = Math.floor(offset / pageSize);
    const skip = offset - first * pageSize;
    const count = Math.ceil((skip + length) / pageSize);
    try {
      const parts = await Promise.all(Array.from({ length: count }, (_, index) => page(first + index)));
      const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      return whole.subarray(skip, skip + length);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // Damage elsewhere in the page must not fail this range; damage in the range fails this read, too.
      return read(source, offset, length);
    }
  };

  const peek = (offset: number, length: number): Buffer | undefined => {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > source.size) {
      throw new CorruptError({
        file: source.name,
        offset,
        thing: `a pointer to ${length} bytes here`,
        expected: `within its ${source.size} bytes`,
      });
    }
    const first = Math.floor(offset / pageSize);
    const skip = offset - first * pageSize;
    const known = skip + length <= pageSize ? pages.peek(firstKey + first) : undefined;
    return known?.subarray(skip, skip + length);
  };

  const reader: CachedReader = {
    peek,
    async read(offset, length) {
      return peek(offset, length) ?? acrossPages(offset, length);
    },
  };
  source.changes?.on(reader, ({ offset, length }) => {
    const first = Math.floor(offset / pageSize);
    const end = Math.min(pageCount, Math.ceil((offset + length) / pageSize));
    if (end - first > SINGLE_DROP_LIMIT)
      firstKey = readerCount++ * PAGES_LIMIT; // the old pages are never hit again, and the LRU evicts them
    else for (let index = first; index < end; index++) pages.forget(firstKey + index);
  });
  return reader;
}

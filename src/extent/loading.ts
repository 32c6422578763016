/**
 * Caches that load missing values themselves. A promise for each of a hundred thousand values costs more than what is done
 * with them, so callers look for a cached value first:
 *
 *     const page = pages.peek(index) ?? (await pages.load(index, context));
 */
import { LRUCache } from "lru-cache";

/** An LRU cache that loads missing values, with the help of `context`. */
export interface LoadingCache<K, V, C = undefined> {
  /** The value of `key` if it is cached. */
  peek(key: K): V | undefined;
  /** Whether the value of `key` is cached, or being loaded. */
  has(key: K): boolean;
  /** The value of `key`, cached or loaded. Concurrent calls share one load; a failed load is not cached. */
  load(key: K, context: C): Promise<V>;
  /** Removes `key`: the next `load` loads it again. */
  forget(key: K): void;
  /** Removes all values. */
  clear(): void;
}

/**
 * A cache of at most `limit`, in the unit of `sizeOf` (1 and up). A value that was forgotten while it was loaded, or that
 * is larger than the whole cache, is returned but not cached.
 */
export function loadingCache<K extends object | number | string, V extends object, C = undefined>(
  limit: number,
  sizeOf: (value: V) => number,
  load: (key: K, context: C) => Promise<V>,
): LoadingCache<K, V, C> {
  const values = new LRUCache<K, V>({ maxSize: limit, sizeCalculation: sizeOf });
  // Not with LRUCache's own fetch: it makes an AbortController for each load, which costs more than many loads.
  const loading = new Map<K, Promise<V>>();
  const begin = (key: K, context: C): Promise<V> => {
    const value = load(key, context);
    loading.set(key, value);
    const isCurrent = (): boolean => loading.get(key) === value && loading.delete(key);
    value.then((loaded) => {
      if (isCurrent()) values.set(key, loaded);
    }, isCurrent);
    return value;
  };
  // Inodes are adjacent: the same page is read again and again.
  let last: { readonly key: K; readonly value: V } | undefined;
  const peek = (key: K): V | undefined => {
    if (last?.key === key) return last.value;
    const value = values.get(key);
    if (value !== undefined) last = { key, value };
    return value;
  };
  return {
    peek,
    has: (key) => loading.has(key) || values.has(key),
    async load(key, context) {
      return peek(key) ?? loading.get(key) ?? begin(key, context);
    },
    forget: (key) => {
      if (last?.key === key) last = undefined;
      values.delete(key);
      loading.delete(key);
    },
    clear: () => {
      last = undefined;
      values.clear();
      loading.clear();
    },
  };
}

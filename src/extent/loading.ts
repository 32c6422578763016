/** The caches that fill themselves. */
import { LRUCache } from "lru-cache";

/** Values by key, of which the last used are kept; what is not there is loaded, by `context`'s means. */
export interface LoadingCache<K, V, C = undefined> {
  /** The value of `key`. Whoever asks while it is being loaded waits for the same load; a failed one is forgotten. */
  get(key: K, context: C): V | Promise<V>;
  /** The value of `key`, where it is there. */
  peek(key: K): V | undefined;
  /** Has `key` loaded anew when it is asked for again. */
  forget(key: K): void;
}

/**
 * A cache that keeps at most `limit`, in the unit of `sizeOf` (1 and up). A value that has lost its place while
 * it was loaded, or that is larger than the whole cache, is handed through.
 */
export function loadingCache<K extends object | number, V extends object, C = undefined>(
  limit: number,
  sizeOf: (value: V) => number,
  load: (key: K, context: C) => Promise<V>,
): LoadingCache<K, V, C> {
  const values = new LRUCache<K, V>({ maxSize: limit, sizeCalculation: sizeOf });
  // Not by the cache's own fetch: each makes what could interrupt it, which costs more than many a load.
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
  // Inodes lie side by side: the same page is asked for again and again.
  let last: { readonly key: K; readonly value: V } | undefined;
  const peek = (key: K): V | undefined => {
    if (last?.key === key) return last.value;
    const value = values.get(key);
    if (value !== undefined) last = { key, value };
    return value;
  };
  return {
    get: (key, context) => peek(key) ?? loading.get(key) ?? begin(key, context),
    peek,
    forget: (key) => {
      if (last?.key === key) last = undefined;
      values.delete(key);
      loading.delete(key);
    },
  };
}

/**
 * How caches learn that what they hold has changed. Whoever changes something emits the change; whoever has copies of it
 * listens and drops them. All listeners have been called when `emit` returns, so that the next read sees the new bytes.
 */

/** The listener's side. */
export interface Changes<T> {
  /**
   * Calls `listener` with each change, for as long as `owner` is alive: a source or a cache that nobody uses any more is
   * collected as garbage with its listener. Listeners are called in the order in which they were added.
   */
  on(owner: object, listener: (change: T) => void): void;
}

/** Bytes of a source or a file that have changed: `[offset, offset + length)`. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** The side of whoever changes something. */
export class ChangeFeed<T> implements Changes<T> {
  readonly #listeners = new WeakMap<object, ((change: T) => void)[]>();
  readonly #owners = new Set<WeakRef<object>>();

  on(owner: object, listener: (change: T) => void): void {
    const known = this.#listeners.get(owner);
    if (known !== undefined) known.push(listener);
    else {
      this.#listeners.set(owner, [listener]);
      this.#owners.add(new WeakRef(owner));
    }
  }

  emit(change: T): void {
    for (const reference of [...this.#owners]) {
      const owner = reference.deref();
      if (owner === undefined) this.#owners.delete(reference);
      else for (const listener of this.#listeners.get(owner) ?? []) listener(change);
    }
  }
}

/**
 * The changes of a source that is made of others: those of `parts`, translated to ranges of the whole. Undefined if no part ever changes.
 * @param translate gets a range of a part, and the part's index. Returns undefined for a change outside of the whole.
 */
export function derivedChanges(
  parts: readonly (Changes<ByteRange> | undefined)[],
  translate: (range: ByteRange, index: number) => ByteRange | undefined,
): Changes<ByteRange> | undefined {
  if (parts.every((part) => part === undefined)) return undefined;
  const feed = new ChangeFeed<ByteRange>();
  parts.forEach((part, index) => {
    part?.on(feed, (range) => {
      const translated = translate(range, index);
      if (translated !== undefined) feed.emit(translated);
    });
  });
  return feed;
}

/** The part of `range` within `[offset, offset + length)`, counted from `offset`; undefined if there is none. */
export function rangeWithin(range: ByteRange, offset: number, length: number): ByteRange | undefined {
  const start = Math.max(range.offset, offset);
  const end = Math.min(range.offset + range.length, offset + length);
  return start < end ? { offset: start - offset, length: end - start } : undefined;
}

/** Small functions on integers and ordered lists, which many formats need. */

/** Whether `value`, an integer below 2^31, is a power of two. */
export function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

/**
 * The smallest index below `count` for which `isReached` is true; `count` if there is none. `isReached` must be false
 * for all indexes before it and true for all behind it.
 */
export function firstIndex(count: number, isReached: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isReached(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The bits of a sector bitmap. The first sector's is the most significant one of the first byte. */

/** Returns whether bit `index` of `bitmap` is 1. */
export function isBitSet(bitmap: Buffer, index: number): boolean {
  return (bitmap[index >>> 3]! & (0x80 >>> (index & 7))) !== 0;
}

/** Returns how many bits, from `index` up to `end` at most, are equal to that at `index`. */
export function bitRunLength(bitmap: Buffer, index: number, end: number): number {
  const isSet = isBitSet(bitmap, index);
  const whole = isSet ? 0xff : 0;
  let at = index + 1;
  while (at < end) {
    if ((at & 7) === 0 && bitmap[at >>> 3] === whole) at += 8;
    else if (isBitSet(bitmap, at) === isSet) at++;
    else break;
  }
  return Math.min(at, end) - index;
}

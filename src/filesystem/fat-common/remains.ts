/** Recognizes a damaged boot sector by its intact copy. */

/** The part of the sector that must be equal: other boot sectors of the same format tool have the same code and text. */
const LIKENESS = 0.75;

/**
 * Returns true if `sector` is a damaged form of `copy`, and not the start of a newer file system: it is blank, or most of
 * it is equal. Undefined stands for a sector that cannot be read.
 */
export function isRemainder(sector: Buffer | undefined, copy: Buffer): boolean {
  if (sector === undefined || isBlank(sector)) return true;
  let same = 0;
  for (let at = 0; at < sector.length; at++) if (sector[at] === copy[at]) same++;
  return same >= sector.length * LIKENESS;
}

/** All zeros, or all ones. */
function isBlank(sector: Buffer): boolean {
  const [first] = sector;
  return (first === 0 || first === 0xff) && sector.every((byte) => byte === first);
}

/** What damage leaves of a boot sector whose copy is whole. */

/** A part of a boot sector is code and text, which every other one has too: so much of it must be the same. */
const LIKENESS = 0.75;

/**
 * Whether `sector` is what is left of `copy`, and not something that was written over an older file system: it is
 * blank, or most of it is the same. Undefined is a sector that cannot be read.
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

/** Names: $FILE_NAME attributes, which are also the keys of directories, and how they are ordered. */
import { readU16le, struct, u16le, u32le, u8 } from "../../../bytes/struct.js";

export const FileName = struct("NTFS file name", 66, {
  parentLow: u32le(0x00), // the directory that it is in
  parentHigh: u16le(0x04),
  parentSequence: u16le(0x06),
  flags: u32le(0x38), // a copy, as all fields between; true when the name was last used, and no later
  nameLength: u8(0x40), // characters
  namespace: u8(0x41),
});

/** Which names a file has. Source: ntfs-3g layout.h, FILE_NAME_TYPE_FLAGS. */
export const Namespace = {
  posix: 0,
  win32: 1,
  dos: 2, // the short one of a file that has another
  both: 3,
} as const;

/** The name in `key`, UTF-16; undefined if `key` is too short for it. Borrowed. */
export function nameIn(key: Buffer): Buffer | undefined {
  if (key.length < FileName.size) return undefined;
  const end = FileName.size + 2 * key[FileName.fields.nameLength.offset]!;
  return end > key.length ? undefined : key.subarray(FileName.size, end);
}

/** A volume's own table of upper case letters: one for each of the 65,536 UTF-16 units. */
export type UpCase = Uint16Array;

const UNIT_COUNT = 0x10000;
export const UPCASE_SIZE = 2 * UNIT_COUNT;

export function parseUpCase(bytes: Buffer): UpCase {
  const table = new Uint16Array(UNIT_COUNT);
  for (let unit = 0; unit < UNIT_COUNT; unit++) table[unit] = readU16le(bytes, 2 * unit);
  return table;
}

/** The substitute if the volume's table cannot be read: Unicode's upper case, unit by unit. */
export function plainUpCase(): UpCase {
  return Uint16Array.from({ length: UNIT_COUNT }, (_, unit) => {
    const upper = String.fromCharCode(unit).toUpperCase();
    return upper.length === 1 ? upper.charCodeAt(0) : unit;
  });
}

/** Compares two names in UTF-16 without regard to case: the primary order of a directory. */
export function compareNames(upCase: UpCase, a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at + 1 < length; at += 2) {
    const x = a[at]! | (a[at + 1]! << 8);
    const y = b[at]! | (b[at + 1]! << 8);
    if (x === y) continue;
    const difference = upCase[x]! - upCase[y]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Comparing names without regard to case: in upper case, by UTF-16 units, as Windows does it. */

/** The upper case of every unit of the basic plane. */
export type UpCase = Uint16Array;

let known: UpCase | undefined;

/**
 * Unicode's simple upper case, for volumes without a table of their own. A unit whose upper case is longer, or
 * is ASCII where the unit is not, is its own upper case, as in Windows' tables.
 */
export function unicodeUpCase(): UpCase {
  known ??= Uint16Array.from({ length: 0x10000 }, (_, unit) => {
    const upper = String.fromCharCode(unit).toUpperCase();
    const code = upper.charCodeAt(0);
    return upper.length === 1 && (unit < 0x80 || code >= 0x80) ? code : unit;
  });
  return known;
}

/** Converts `units`, UTF-16 little-endian, to Unicode's upper case, in place. */
export function unicodeFold(units: Buffer): Buffer {
  return foldBy(unicodeUpCase())(units);
}

/** Returns a function that converts units to the upper case of `table`, in place. */
export function foldBy(table: UpCase): (units: Buffer) => Buffer {
  return (units) => {
    for (let at = 0; at + 1 < units.length; at += 2) {
      units.writeUInt16LE(table[units.readUInt16LE(at)]!, at);
    }
    return units;
  };
}

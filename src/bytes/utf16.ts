/**
 * Converts names that are stored as UTF-16 (NTFS, exFAT, VFAT) to the bytes of a host's file name, and back. Different names,
 * valid or not, become different bytes.
 *
 *   valid text                 UTF-8
 *   half of a surrogate pair   three bytes, as if it were a character (WTF-8)
 *   "/", NUL, "." and ".."     two bytes for each character ("/" is C0 AF): overlong forms, which valid UTF-8
 *                              never has; these names have a meaning for the host
 */
import { isUtf8 } from "node:buffer";

const SLASH = 0x2f;
const DOT = 0x2e;

/** Converts `units` (UTF-16 little-endian, an even number of bytes) to a name. The caller owns the returned buffer. */
export function nameFromUtf16(units: Buffer): Buffer {
  const plain = plainName(units);
  if (plain !== undefined) return plain;
  const length = units.length / 2;
  const isDots =
    (length === 1 || length === 2) && units.every((byte, index) => byte === (index % 2 ? 0 : DOT));
  const bytes: number[] = [];
  for (let at = 0; at < units.length; at += 2) {
    const unit = units.readUInt16LE(at);
    if (unit === 0 || unit === SLASH || isDots) {
      bytes.push(0xc0, 0x80 | unit);
    } else if (unit < 0x80) {
      bytes.push(unit);
    } else if (unit < 0x800) {
      bytes.push(0xc0 | (unit >>> 6), 0x80 | (unit & 0x3f));
    } else {
      const low = at + 2 < units.length ? units.readUInt16LE(at + 2) : 0;
      if (isHigh(unit) && isLow(low)) {
        const point = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
        bytes.push(0xf0 | (point >>> 18), 0x80 | ((point >>> 12) & 0x3f));
        bytes.push(0x80 | ((point >>> 6) & 0x3f), 0x80 | (point & 0x3f));
        at += 2;
      } else {
        bytes.push(0xe0 | (unit >>> 12), 0x80 | ((unit >>> 6) & 0x3f), 0x80 | (unit & 0x3f));
      }
    }
  }
  return Buffer.from(bytes);
}

/** Converts a name of ASCII characters without a special meaning for the host, as most are; undefined for others. */
function plainName(units: Buffer): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(units.length / 2);
  return writePlain(units, 0, units.length, bytes, 0) ? bytes : undefined;
}

/** Returns how many bytes a name of `units` UTF-16 units takes at most. */
export const mostNameBytes = (units: number): number => 3 * units;

/** Writes the name in bytes `[from, to)` of `units` to `at` of `into`, which must be large enough. Returns its end. */
export function writeName(units: Buffer, from: number, to: number, into: Buffer, at: number): number {
  if (writePlain(units, from, to, into, at)) return at + (to - from) / 2;
  return at + nameFromUtf16(units.subarray(from, to)).copy(into, at);
}

function writePlain(units: Buffer, from: number, to: number, into: Buffer, at: number): boolean {
  if (units[from] === DOT) return false;
  for (let unit = from, next = at; unit < to; unit += 2, next++) {
    const low = units[unit]!;
    if (units[unit + 1] !== 0 || low >= 0x80 || low === SLASH || low === 0) return false;
    into[next] = low;
  }
  return true;
}

/**
 * Converts `name` back to UTF-16 little-endian units; undefined if no units have this name. Plain UTF-8, as a user types
 * it, is accepted, too.
 */
export function utf16FromName(name: Buffer): Buffer | undefined {
  if (isUtf8(name)) return Buffer.from(name.toString("utf8"), "utf16le");
  const units: number[] = [];
  for (let at = 0; at < name.length;) {
    const first = name[at]!;
    const length =
      first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
    if (length === 0 || at + length > name.length) return undefined;
    let point = length === 1 ? first : first & (0x7f >>> length);
    for (const byte of name.subarray(at + 1, at + length)) {
      if ((byte & 0xc0) !== 0x80) return undefined;
      point = point * 64 + (byte & 0x3f);
    }
    if (point > 0x10ffff) return undefined;
    if (point < 0x10000) units.push(point);
    else units.push(0xd800 | ((point - 0x10000) >>> 10), 0xdc00 | ((point - 0x10000) & 0x3ff));
    at += length;
  }
  const bytes = Buffer.alloc(units.length * 2);
  units.forEach((unit, index) => bytes.writeUInt16LE(unit, index * 2));
  // Refuses bytes that `nameFromUtf16` never returns: halves of a valid pair written separately, unnecessary overlong forms.
  return nameFromUtf16(bytes).equals(name) ? bytes : undefined;
}

const isHigh = (unit: number): boolean => unit >>> 10 === 0xd800 >>> 10;
const isLow = (unit: number): boolean => unit >>> 10 === 0xdc00 >>> 10;

/**
 * On-disk structures, declared once: a name, a length, and the fields that we use at the specification's offsets.
 * The TypeScript type is inferred from the declaration. Fields are read by getters, so that unused ones cost nothing.
 * Tests get the place of every field from it.
 */
import { CorruptError } from "../errors.js";
import { formatGuid, formatUuid } from "./guid.js";

const BYTES = Symbol("bytes");
const AT = Symbol("at");

/** One field: its offset, its length in bytes, and how it is read. */
export interface Field<T> {
  readonly offset: number;
  readonly length: number;
  /** Whether it is a number whose most significant byte comes first. */
  readonly isBigEndian?: true;
  /**
   * The getter of the view's property. Each kind of field has a function of its own, below: V8 can then inline the call,
   * and reading a field takes half of the time that one function for all kinds takes.
   */
  readonly get: (this: Place) => T;
}

/** The base of all views: a buffer, and where the structure begins in it. */
class Place {
  // `declare`, so that the constructor is the only place that sets them.
  declare readonly [BYTES]: Buffer;
  declare readonly [AT]: number;

  constructor(bytes: Buffer, at: number) {
    this[BYTES] = bytes;
    this[AT] = at;
  }
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

/** The values of a structure. A view borrows its bytes: copy what must outlive the buffer. */
export type View<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** The type of a declaration's views: `type Header = ViewOf<typeof Header>`. */
export type ViewOf<S> = S extends Struct<infer F> ? View<F> : never;

export interface Struct<F extends Fields> {
  readonly name: string;
  /** Bytes of the whole structure. */
  readonly size: number;
  readonly fields: F;
  /**
   * Returns the structure at `at` in `bytes`. `file` and `origin` (the absolute byte of `bytes[0]`) are for the error message.
   * @throws {CorruptError} if `bytes` ends within the structure.
   */
  view(bytes: Buffer, at?: number, file?: string, origin?: number): View<F>;
}

export function struct<F extends Fields>(name: string, size: number, fields: F): Struct<F> {
  class StructView extends Place {}
  for (const [key, { offset, length, get }] of Object.entries(fields)) {
    if (offset + length > size) throw new Error(`${name}.${key} ends behind the structure's end`);
    Object.defineProperty(StructView.prototype, key, { enumerable: true, get });
  }
  return {
    name,
    size,
    fields,
    view(bytes, at = 0, file = name, origin = 0) {
      if (at < 0 || at + size > bytes.length) {
        throw new CorruptError({
          file,
          offset: origin + at,
          thing: `the space for a ${name}`,
          found: `${Math.max(0, bytes.length - at)} bytes`,
          expected: `at least ${size} bytes`,
        });
      }
      return new StructView(bytes, at) as unknown as View<F>;
    },
  };
}

/** Returns the fields of a view as a plain object, for printing. */
export function describe<F extends Fields>(declaration: Struct<F>, view: View<F>): Record<string, unknown> {
  return Object.fromEntries(Object.keys(declaration.fields).map((key) => [key, view[key]]));
}

export const u8 = (offset: number): Field<number> => ({
  offset,
  length: 1,
  get() {
    return this[BYTES][this[AT] + offset]!;
  },
});
export const u16le = (offset: number): Field<number> => ({
  offset,
  length: 2,
  get() {
    return readU16le(this[BYTES], this[AT] + offset);
  },
});
export const u32le = (offset: number): Field<number> => ({
  offset,
  length: 4,
  get() {
    return readU32le(this[BYTES], this[AT] + offset);
  },
});
export const i32le = (offset: number): Field<number> => ({
  offset,
  length: 4,
  get() {
    return readI32le(this[BYTES], this[AT] + offset);
  },
});

/** A 64-bit count or position. A value above 2^53 is inexact, but still 2^53 or more, so that any sensible limit refuses it. */
export const u64le = (offset: number): Field<number> => ({
  offset,
  length: 8,
  get() {
    return readU64le(this[BYTES], this[AT] + offset);
  },
});

export const u16be = (offset: number): Field<number> => ({
  offset,
  length: 2,
  isBigEndian: true,
  get() {
    return readU16be(this[BYTES], this[AT] + offset);
  },
});
export const u32be = (offset: number): Field<number> => ({
  offset,
  length: 4,
  isBigEndian: true,
  get() {
    return readU32be(this[BYTES], this[AT] + offset);
  },
});

/** As `u64le`, with the most significant byte first. */
export const u64be = (offset: number): Field<number> => ({
  offset,
  length: 8,
  isBigEndian: true,
  get() {
    return readU64be(this[BYTES], this[AT] + offset);
  },
});

/** Bytes: a part of the buffer, not a copy. */
export const span = (offset: number, length: number): Field<Buffer> => ({
  offset,
  length,
  get() {
    return this[BYTES].subarray(this[AT] + offset, this[AT] + offset + length);
  },
});

/** Text up to its first NUL, as UTF-8. */
export const text = (offset: number, length: number): Field<string> => ({
  offset,
  length,
  get() {
    const bytes = this[BYTES].subarray(this[AT] + offset, this[AT] + offset + length);
    const end = bytes.indexOf(0);
    return bytes.toString("utf8", 0, end < 0 ? length : end);
  },
});

/** Sixteen bytes in Microsoft's (and VirtualBox's) mixed byte order. */
export const guid = (offset: number): Field<string> => ({
  offset,
  length: 16,
  get() {
    return formatGuid(this[BYTES], this[AT] + offset);
  },
});

/** Sixteen bytes in the order in which they are printed (RFC 9562). */
export const uuid = (offset: number): Field<string> => ({
  offset,
  length: 16,
  get() {
    return formatUuid(this[BYTES], this[AT] + offset);
  },
});

// These functions do not check bounds: `view` checks the structure as a whole, while Buffer's methods would check each
// field. Code that reads hundreds of thousands of structures calls them directly.

/** Returns a DataView of `bytes`. Code that V8 has not compiled yet reads words faster through it than byte by byte. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The 16-bit little-endian word at `at`. */
export function readU16le(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

/** The 32-bit little-endian word at `at`. */
export function readU32le(bytes: Buffer, at: number): number {
  return readI32le(bytes, at) >>> 0;
}

/** The 32-bit little-endian word at `at`, signed. */
export function readI32le(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** The 64-bit little-endian word at `at`; inexact past 2^53. */
export function readU64le(bytes: Buffer, at: number): number {
  return readU32le(bytes, at) + readU32le(bytes, at + 4) * 2 ** 32;
}

/** The 16-bit big-endian word at `at`. */
export function readU16be(bytes: Buffer, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** The 32-bit big-endian word at `at`. */
export function readU32be(bytes: Buffer, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** The 64-bit big-endian word at `at`; inexact past 2^53. */
export function readU64be(bytes: Buffer, at: number): number {
  return readU32be(bytes, at) * 2 ** 32 + readU32be(bytes, at + 4);
}

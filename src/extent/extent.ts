/**
 * The one idea: a source is something that can be mapped. Every layer answers where bytes are, not what they
 * are; a mapping composes down to the host's file, and one reader serves all. Extents are plain data.
 */
import type { ByteRange, Changes } from "../bytes/changes.js";
import type { Codec } from "../bytes/compression/codecs.js";
import type { Place } from "../bytes/compression/damage.js";
import type { DiskError } from "../errors.js";
import type { Storage } from "../storage/storage.js";

export type Extent =
  /** Verbatim in a file of the host. */
  | { readonly kind: "stored"; readonly length: number; readonly storage: Storage; readonly offset: number }
  /** Zeros that are stored nowhere. */
  | { readonly kind: "zero"; readonly length: number }
  /** A part of a compressed unit, unpacked on demand. */
  | { readonly kind: "packed"; readonly length: number; readonly unit: PackedUnit; readonly skip: number }
  /** What the image should hold here is damaged: reading it is `error`, its neighbours are fine. */
  | { readonly kind: "damaged"; readonly length: number; readonly error: DiskError };

/** What one image of a chain knows by itself; `absent` leaves the run to the image below. */
export type LayerExtent = Extent | { readonly kind: "absent"; readonly length: number };

/** A place on the volume on which a file lies. */
export interface VolumeRun {
  readonly kind: "at";
  readonly length: number;
  readonly offset: number;
}

/** What lists consist of: the extents of a source or a layer, or the runs of a file. */
export type Piece = LayerExtent | VolumeRun;

/** A compressed unit, or bytes in memory. */
export type PackedUnit = OpaqueUnit | ChunkedUnit;

/**
 * Identifies a unit: units with the same source and index have the same bytes. `source` is what their packed bytes belong
 * to, a volume or a file of the host: when it changes, all its units are dropped.
 */
export interface UnitId {
  readonly source: { readonly changes?: Changes<ByteRange> | undefined };
  readonly index: number | string;
}

/** Bytes in memory, or that only their owner can produce. The same unit is always the same object. */
export interface OpaqueUnit {
  readonly codec?: undefined;
  /** Bytes when decompressed. */
  readonly size: number;
  /** @throws {CorruptError} when the packed bytes are damaged. */
  unpack(): Promise<Buffer>;
}

/** A unit of chunks with a known codec: several such units are read and decompressed together. */
export interface ChunkedUnit {
  readonly id: UnitId;
  readonly codec: Codec;
  /** The offset in the packed bytes at which each chunk begins, and the end of the last one. */
  readonly places: readonly number[];
  /** Bytes of a chunk when decompressed; the last one has the rest of `size`. */
  readonly chunkSize: number;
  /** Bytes of all chunks when decompressed. */
  readonly size: number;
  /** Whether a chunk whose packed length is its decompressed length is stored uncompressed. */
  readonly mayBeStored: boolean;
  /** The packed bytes are the bytes of `runs` of `source`, in this order. */
  readonly source: BlockSource;
  readonly runs: readonly { readonly offset: number; readonly length: number }[];
  /** The place of chunk `index`, for error messages. */
  placeOf(index: number): Place;
  /** Called when the packed bytes could not be read. */
  failed?(): void;
}

/**
 * Extents that one call of `map` returns at most. A window of 64 MiB (extent/overlay.ts) has fewer, unless its pieces are
 * smaller than 16 KiB; and a list as long as this is built within a few milliseconds.
 */
export const MAP_LIMIT = 4096;

/** What can be mapped: a source, or one image of a chain, whose extents may be `absent`. */
export interface Mapped<E extends LayerExtent = Extent> {
  /** Bytes. */
  readonly size: number;
  /**
   * What the bytes from `offset` on consist of, in order and without gaps. The cost of one call is bounded, whatever the
   * size: the extents cover `length` bytes or fewer, but at least one byte where `length` is not 0, and there are
   * MAP_LIMIT at most. `mapAll` and `mapPieces` (extent/mapping.ts) map the whole of a range. One run of zeros is one
   * extent, however long it is.
   */
  map(offset: number, length: number): Promise<E[]>;
  /** Changes of its bytes or of its mapping; undefined if it never changes. */
  readonly changes?: Changes<ByteRange> | undefined;
}

export interface BlockSource extends Mapped {
  /** Its name in error messages: "web.vdi", "web.vdi vol1". */
  readonly name: string;
}

/** Bytes that `extents` cover. */
export function lengthOf(extents: readonly Piece[]): number {
  let sum = 0;
  for (const { length } of extents) sum += length;
  return sum;
}

/** The part `[skip, skip + length)` of an extent. */
export function slice<E extends Piece>(extent: E, skip: number, length: number): E {
  if (skip === 0 && length === extent.length) return extent;
  if (extent.kind === "stored" || extent.kind === "at")
    return { ...extent, offset: extent.offset + skip, length };
  if (extent.kind === "packed") return { ...extent, skip: extent.skip + skip, length };
  return { ...extent, length };
}

/** Appends `extent`, joined to the last one if it continues it. Empty extents are left out. */
export function append<E extends Piece>(extents: E[], extent: E): void {
  if (extent.length === 0) return;
  const last = extents.at(-1);
  if (last !== undefined && continues(last, extent)) {
    extents[extents.length - 1] = { ...last, length: last.length + extent.length };
  } else {
    extents.push(extent);
  }
}

/** The part `[offset, offset + length)` of `extents`, a list that begins at position 0. */
export function sliceList<E extends Piece>(extents: readonly E[], offset: number, length: number): E[] {
  const part: E[] = [];
  let at = 0;
  for (const extent of extents) {
    const from = Math.max(offset, at);
    const to = Math.min(offset + length, at + extent.length);
    if (from < to) append(part, slice(extent, from - at, to - from));
    at += extent.length;
    if (at >= offset + length) break;
  }
  return part;
}

function continues(last: Piece, next: Piece): boolean {
  switch (last.kind) {
    case "at":
      return next.kind === "at" && next.offset === last.offset + last.length;
    case "stored":
      return (
        next.kind === "stored" && next.storage === last.storage && next.offset === last.offset + last.length
      );
    case "packed":
      return (
        next.kind === "packed" && isSameUnit(next.unit, last.unit) && next.skip === last.skip + last.length
      );
    case "damaged":
      return next.kind === "damaged" && next.error === last.error;
    default:
      return next.kind === last.kind;
  }
}

function isSameUnit(one: PackedUnit, other: PackedUnit): boolean {
  if (one === other) return true;
  if (one.codec === undefined || other.codec === undefined) return false;
  return one.id.source === other.id.source && one.id.index === other.id.index;
}

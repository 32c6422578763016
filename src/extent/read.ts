/** The one reader: bytes out of anything that can be mapped. */
import { readStored, type StoredPart } from "../storage/stored.js";
import type { BlockSource, Extent, PackedUnit } from "./extent.js";
import { loadingCache } from "./loading.js";

/** Unpacked units that are kept, in bytes, for all sources of the process together. */
const UNPACKED_CACHE_BYTES = 32 * 2 ** 20;

/** Smaller units are not kept: a place in the cache takes more than they do, and inline files come by the million. */
const SMALLEST_KEPT = 4096;

/**
 * `length` bytes of `source` from `offset`, in a buffer of the caller's own.
 * @throws {RangeError} when the range is not within the source: a bug of the caller's.
 * @throws {DiskError} where the bytes cannot be had. Never fewer bytes, never zeros in their place.
 */
export async function read(source: BlockSource, offset: number, length: number): Promise<Buffer> {
  const into = Buffer.allocUnsafe(length);
  await readInto(source, into, offset);
  return into;
}

/** Fills `into` with the bytes of `source` from `offset`; throws as `read` does. */
export async function readInto(source: BlockSource, into: Uint8Array, offset: number): Promise<void> {
  checkRange(source, offset, into.length);
  await readExtents(await source.map(offset, into.length), into);
}

/** Fills `into` from a list of extents that is exactly as long. Nothing is being read any more once it settles. */
export async function readExtents(extents: readonly Extent[], into: Uint8Array): Promise<void> {
  const length = extents.reduce((sum, extent) => sum + extent.length, 0);
  if (length !== into.length) {
    throw new RangeError(`${length} bytes are mapped where ${into.length} were asked for`);
  }
  if (extents.length === 1) return readExtent(extents[0]!, into);
  const stored: StoredPart[] = [];
  const others: Promise<void>[] = [];
  let at = 0;
  for (const extent of extents) {
    const part = into.subarray(at, (at += extent.length));
    if (extent.kind === "stored") stored.push({ ...extent, into: part });
    else if (extent.kind === "zero") part.fill(0);
    else others.push(readExtent(extent, part));
  }
  const results = await Promise.allSettled([readStored(stored, into), ...others]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** The caller's range is checked here, once, at the door. */
export function checkRange(source: BlockSource, offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > source.size) {
    throw new RangeError(
      `${source.name}: bytes ${offset} to ${offset + length} are not within its ${source.size}`,
    );
  }
}

async function readExtent(extent: Extent, into: Uint8Array): Promise<void> {
  switch (extent.kind) {
    case "stored":
      return extent.storage.read(into, extent.offset);
    case "zero":
      into.fill(0);
      return;
    case "packed":
      return readPacked(extent, into);
    case "damaged":
      throw extent.error;
  }
}

/** Who reads on from unit to unit wants each of them whole, and once: such a one is not kept. */
async function readPacked(
  { unit, skip, length }: Extract<Extent, { kind: "packed" }>,
  into: Uint8Array,
): Promise<void> {
  if (length === unit.size && unit.unpackInto !== undefined && unpacked.peek(unit) === undefined)
    return unit.unpackInto(into);
  into.set((await unpack(unit)).subarray(skip, skip + length));
}

const unpacked = loadingCache<PackedUnit, Buffer>(
  UNPACKED_CACHE_BYTES,
  (bytes) => bytes.length + 1,
  (unit) => unit.unpack(),
);

function unpack(unit: PackedUnit): Buffer | Promise<Buffer> {
  return unit.size < SMALLEST_KEPT ? unit.unpack() : unpacked.get(unit, undefined);
}

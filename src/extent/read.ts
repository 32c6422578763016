/** The one reader: it reads the bytes of anything that can be mapped. */
import { settleAll } from "../bytes/settle.js";
import { withinMemory } from "../bytes/memory.js";
import { BufferPool } from "../bytes/pool.js";
import { DiskError } from "../errors.js";
import { readStored, type StoredPart } from "../storage/stored.js";
import { unpackChunks, type LoadedUnit } from "./chunks.js";
import {
  append,
  lengthOf,
  type BlockSource,
  type ChunkedUnit,
  type Extent,
  type PackedUnit,
} from "./extent.js";
import { mapAll, mapPieces } from "./mapping.js";
import type { StopSignal } from "./time-slice.js";
import { cachedUnit, isCachedUnit } from "./unit-cache.js";

/** Decompressed bytes of units that one call reads and decompresses. Several calls run in parallel; each has a cost. */
const GROUP_SIZE = 256 * 2 ** 10;

/** Buffers for packed units that are kept for reuse. */
const GROUPS_KEPT = withinMemory(32);

/**
 * `length` bytes of `source` from `offset`, in a buffer of the caller's own.
 * @throws {RangeError} when the range is not within the source: a bug of the caller's.
 * @throws {DiskError} where the bytes cannot be read. Never returns fewer bytes, or zeros in their place.
 * @throws {Interrupted} once `signal` is aborted, where the range takes more than one call of `map`.
 */
export async function read(
  source: BlockSource,
  offset: number,
  length: number,
  signal?: StopSignal,
): Promise<Buffer> {
  checkRange(source, offset, length); // before the memory is allocated
  const into = Buffer.allocUnsafe(length);
  await readInto(source, into, offset, signal);
  return into;
}

/** Fills `into` with the bytes of `source` from `offset`; throws as `read` does. */
export async function readInto(
  source: BlockSource,
  into: Uint8Array,
  offset: number,
  signal?: StopSignal,
): Promise<void> {
  checkRange(source, offset, into.length);
  if (into.length === 0) return;
  const extents = await source.map(offset, into.length);
  const done = lengthOf(extents);
  if (done === into.length || done === 0) return readExtents(extents, into); // the usual case
  await readExtents(extents, into.subarray(0, done));
  let at = done;
  for await (const piece of mapPieces(source, offset + done, into.length - done, signal)) {
    const length = lengthOf(piece);
    await readExtents(piece, into.subarray(at, at + length));
    at += length;
  }
}

/** Fills `into` from extents of exactly its length. Nothing writes to `into` any more once the promise is settled. */
export async function readExtents(extents: readonly Extent[], into: Uint8Array): Promise<void> {
  const length = lengthOf(extents);
  if (length !== into.length) {
    throw new RangeError(`${length} bytes are mapped, but ${into.length} were requested`);
  }
  if (extents.length === 1) return readExtent(extents[0]!, into);
  const stored: StoredPart[] = [];
  const units: WantedUnit[] = [];
  const others: Promise<void>[] = [];
  let at = 0;
  for (const extent of extents) {
    const part = into.subarray(at, at + extent.length);
    if (extent.kind === "stored") stored.push({ ...extent, into: part });
    else if (extent.kind === "zero") part.fill(0);
    else if (isWholeUnit(extent)) units.push({ unit: extent.unit, at });
    else others.push(readExtent(extent, part));
    at += extent.length;
  }
  const reading = [readStored(stored, into), ...others];
  for (const group of groupsOf(units)) reading.push(readUnits(group, into));
  await settleAll(reading);
}

/** Checks the caller's range, once for all levels below. */
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

async function readPacked(extent: Extract<Extent, { kind: "packed" }>, into: Uint8Array): Promise<void> {
  if (isWholeUnit(extent)) return readUnits([{ unit: extent.unit, at: 0 }], into);
  const { unit, skip, length } = extent;
  const bytes = await cachedUnit(unit, () => unpackUnit(unit));
  into.set(bytes.subarray(skip, skip + length));
}

/** A unit's bytes, in a buffer of the caller's own. @throws {DiskError} where it is damaged, or cannot be read. */
export async function unpackUnit(unit: PackedUnit): Promise<Buffer> {
  if (unit.codec === undefined) return unit.unpack();
  const bytes = Buffer.allocUnsafe(unit.size);
  await readUnits([{ unit, at: 0 }], bytes);
  return bytes;
}

/** A unit that is read as a whole, and its position in the buffer. */
interface WantedUnit {
  readonly unit: ChunkedUnit;
  readonly at: number;
}

/** Programs that read sequentially read each unit as a whole, and once: such a unit is not cached. */
function isWholeUnit(
  extent: Extract<Extent, { kind: "packed" | "damaged" }>,
): extent is Extract<Extent, { kind: "packed" }> & { unit: ChunkedUnit } {
  return (
    extent.kind === "packed" &&
    extent.unit.codec !== undefined &&
    extent.length === extent.unit.size &&
    !isCachedUnit(extent.unit)
  );
}

function groupsOf(units: readonly WantedUnit[]): WantedUnit[][] {
  const groups: WantedUnit[][] = [];
  let room = 0;
  for (const wanted of units) {
    if (room <= 0) {
      groups.push([]);
      room = GROUP_SIZE;
    }
    groups.at(-1)!.push(wanted);
    room -= wanted.unit.size;
  }
  return groups;
}

const packedBytes = new BufferPool(GROUP_SIZE, GROUPS_KEPT);

/** Reads and decompresses `units` together; if that fails, one by one, to find the damaged one. */
async function readUnits(units: readonly WantedUnit[], into: Uint8Array): Promise<void> {
  try {
    const ranges: Range[] = [];
    const loaded: LoadedUnit[] = [];
    let size = 0;
    for (const { unit, at } of units) {
      loaded.push({ unit, from: size, at });
      size += unit.places.at(-1)!;
      for (const run of unit.runs) addRange(ranges, unit.source, run.offset, run.length);
    }
    const extents: Extent[] = [];
    for (const { source, offset, length } of ranges)
      for (const extent of await mapAll(source, offset, length)) append(extents, extent);
    const packed = packedBytes.take(size);
    // Nothing uses the buffer once both have settled.
    await readExtents(extents, packed)
      .then(() => unpackChunks(loaded, packed, into))
      .finally(() => {
        packedBytes.give(packed);
      });
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (units.length === 1) {
      units[0]!.unit.failed?.();
      throw error;
    }
    for (const unit of units) await readUnits([unit], into);
  }
}

/** Bytes of a source. */
interface Range {
  readonly source: BlockSource;
  readonly offset: number;
  length: number;
}

/** The packed bytes of adjacent units are usually adjacent, too: they are mapped and read together. */
function addRange(ranges: Range[], source: BlockSource, offset: number, length: number): void {
  const last = ranges.at(-1);
  if (last?.source === source && last.offset + last.length === offset) last.length += length;
  else ranges.push({ source, offset, length });
}

/**
 * Finds the blocks of a VHD that overlap each other. No sound image has any, and which of two blocks the bytes belong to
 * cannot be told: both are damaged. The whole table is read for this, once, before the first block is read.
 */
import { firstIndex } from "../../bytes/integers.js";
import { readU32be } from "../../bytes/struct.js";
import { DiskError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { read } from "../../extent/read.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import { ABSENT, TABLE_ENTRY_SIZE, type VhdHeader } from "./header.js";
import { SECTOR_SIZE } from "./size.js";

/** Entries of the largest table that is searched. Disks of VHD's largest size, 2040 GiB, have 2^20 blocks of 2 MiB. */
const ENTRIES_LIMIT = 2 ** 21;

/** Entries that are read at once. */
const CHUNK_ENTRIES = 2 ** 16;

const NONE = new Uint32Array(0);

/** Returns whether overlapping blocks are looked for: a table may be too large for it. */
export function isSearched({ blockCount }: VhdHeader): boolean {
  return blockCount <= ENTRIES_LIMIT;
}

/**
 * Returns the sectors at which blocks begin that overlap others, in order.
 * @param isSound whether `block` may lie at the sector `entry`; if not, it is damaged anyway.
 */
export async function findOverlaps(
  source: BlockSource,
  header: VhdHeader,
  isSound: (block: number, entry: number) => boolean,
): Promise<Uint32Array> {
  if (!isSearched(header)) return NONE;
  const pitch = (header.bitmapSize + header.blockSize) / SECTOR_SIZE;
  const sectors = await storedSectors(source, header, isSound);
  if (isRegular(sectors, pitch)) return NONE; // as good as always
  const sorted = await sort(sectors);
  const overlaps = new Uint32Array(countNear(sorted, pitch));
  let count = 0;
  for (let index = 0; count < overlaps.length; index++)
    if (isNear(sorted, index, pitch)) overlaps[count++] = sorted[index]!;
  return overlaps;
}

/** Buckets of the largest bitmap: images of the usual blocks have 2^20 at most. */
const BUCKETS_LIMIT = 2 ** 24;

/** Returns whether all of `sectors` are different, and whole multiples of `pitch` from each other. Sorting takes ten times as long. */
function isRegular(sectors: Uint32Array, pitch: number): boolean {
  let last = 0;
  for (let index = 0; index < sectors.length; index++) last = Math.max(last, sectors[index]!);
  const bucketCount = Math.floor(last / pitch) + 1;
  if (bucketCount > BUCKETS_LIMIT) return false;
  const taken = new Uint8Array(Math.ceil(bucketCount / 8));
  const rest = (sectors[0] ?? 0) % pitch;
  for (let index = 0; index < sectors.length; index++) {
    const sector = sectors[index]!;
    const bucket = Math.floor(sector / pitch);
    const bit = 1 << (bucket & 7);
    if (sector - bucket * pitch !== rest || (taken[bucket >>> 3]! & bit) !== 0) return false;
    taken[bucket >>> 3]! |= bit;
  }
  return true;
}

/** Returns how many of `sectors` are nearer than `pitch` to the one before or behind. */
function countNear(sectors: Uint32Array, pitch: number): number {
  let count = 0;
  for (let index = 0; index < sectors.length; index++) if (isNear(sectors, index, pitch)) count++;
  return count;
}

function isNear(sectors: Uint32Array, index: number, pitch: number): boolean {
  const sector = sectors[index]!;
  return (
    (index > 0 && sector - sectors[index - 1]! < pitch) ||
    (index + 1 < sectors.length && sectors[index + 1]! - sector < pitch)
  );
}

/** Returns whether `sector` is one of `overlaps`, which are in order. */
export function isOverlapping(overlaps: Uint32Array, sector: number): boolean {
  return overlaps[firstIndex(overlaps.length, (index) => overlaps[index]! >= sector)] === sector;
}

/** Returns the sectors of all stored blocks, in the table's order. */
async function storedSectors(
  source: BlockSource,
  { blockCount, tableOffset }: VhdHeader,
  isSound: (block: number, entry: number) => boolean,
): Promise<Uint32Array> {
  const sectors = new Uint32Array(blockCount);
  let count = 0;
  for (let first = 0; first < blockCount; first += CHUNK_ENTRIES) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const length = Math.min(CHUNK_ENTRIES, blockCount - first) * TABLE_ENTRY_SIZE;
    const chunk = await readUnlessDamaged(source, tableOffset + first * TABLE_ENTRY_SIZE, length);
    if (chunk === undefined) continue;
    for (let at = 0; at < length; at += TABLE_ENTRY_SIZE) {
      const entry = readU32be(chunk, at);
      if (entry !== ABSENT && isSound(first + at / TABLE_ENTRY_SIZE, entry)) sectors[count++] = entry;
    }
  }
  return sectors.subarray(0, count);
}

/** The blocks of a part of the table that cannot be read fail by themselves. */
async function readUnlessDamaged(
  source: BlockSource,
  offset: number,
  length: number,
): Promise<Buffer | undefined> {
  try {
    return await read(source, offset, length);
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}

const DIGIT_BITS = 16;
const DIGIT_COUNT = 2 ** DIGIT_BITS;

/** Returns `values` in order: a radix sort, which can pause between its passes. Uint32Array.sort holds the event loop for 0.1 s. */
async function sort(values: Uint32Array): Promise<Uint32Array> {
  let from = values;
  let to: Uint32Array = new Uint32Array(values.length);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const starts = new Uint32Array(DIGIT_COUNT + 1);
    const digitOf = (value: number): number => (value >>> shift) & (DIGIT_COUNT - 1);
    // Indexes, since iterators take several times as long.
    for (let index = 0; index < from.length; index++) starts[digitOf(from[index]!) + 1]!++;
    for (let digit = 1; digit <= DIGIT_COUNT; digit++) starts[digit]! += starts[digit - 1]!;
    for (let index = 0; index < from.length; index++) to[starts[digitOf(from[index]!)]!++] = from[index]!;
    [from, to] = [to, from];
  }
  return from;
}

/**
 * VHD's block table ("BAT"): one entry for each block of the disk, the sector at which the block begins. A block is a
 * bitmap with one bit for each of its sectors, and the sectors' data. A read travels through it in four steps: the entries
 * of the wanted blocks are read; `mappingOf` says what one entry means; the bitmaps of stored blocks are read; and each
 * run of equal bits becomes one extent.
 *
 * A sector whose bit is 0 was never written: it is the parent's, or zero if there is no parent. Source: VHD specification
 * 1.0, "Block Allocation Table and Data Blocks"; VirtualBox, VHD.cpp, vhdRead (facts only).
 */
import { readU32be } from "../../bytes/struct.js";
import { DiskError } from "../../errors.js";
import { addStored, Builder } from "../../extent/builder.js";
import { cachedReader, pagePool, type CachedReader } from "../../extent/cache.js";
import type { LayerExtent } from "../../extent/extent.js";
import { storageSource } from "../../extent/storage.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import type { Storage } from "../../storage/storage.js";
import type { Layer } from "../image.js";
import { bitRunLength, isBitSet } from "./bits.js";
import { ABSENT, TABLE_ENTRY_SIZE, type VhdHeader } from "./header.js";
import { mappingOf, problemOf, type BlockMapping, type Layout } from "./mapping.js";
import { findOverlaps } from "./overlaps.js";
import { SECTOR_SIZE } from "./size.js";

/** Entries that are read at once: one page of the cache. */
const PAGE_ENTRIES = 2 ** 10;

/** Pieces of blocks whose bitmaps are read at the same time. */
const PIECES_AT_ONCE = 64;

/** A piece: the bytes of a block that one page of bitmap describes. Usual blocks of 2 MiB are one piece. */
const BITMAP_PAGE_SIZE = 2 ** 12;
const BYTES_PER_BITMAP_BYTE = 8 * SECTOR_SIZE;
const PIECE_SIZE = BITMAP_PAGE_SIZE * BYTES_PER_BITMAP_BYTE;

/** Steps of one call of `map`: each is a run of absent blocks, or PIECES_AT_ONCE pieces. */
const STEPS_LIMIT = 256;

/** The caches that all open images share. A page of the table has 2 GiB of the disk; one of bitmaps has 2 MiB. */
const tablePages = pagePool(8 * 2 ** 20, PAGE_ENTRIES * TABLE_ENTRY_SIZE);
const bitmapPages = pagePool(16 * 2 ** 20, BITMAP_PAGE_SIZE);

/** `[skip, skip + length)` of a block. */
interface Piece {
  readonly mapping: BlockMapping;
  readonly skip: number;
  readonly length: number;
}

/** The table in use, with what is needed to read it. */
interface OpenTable extends Layout {
  readonly entries: CachedReader;
  readonly bitmaps: CachedReader;
  /** The sectors of blocks that overlap others, in order. */
  readonly overlaps: Uint32Array;
}

/**
 * Returns `Layer.map` for the blocks in `file`.
 * @param dataEnd where the data ends: at the footer, or with the file.
 */
export function openBlockTable(file: Storage, header: VhdHeader, dataEnd: number): Layer["map"] {
  const source = storageSource(file);
  const readers = { entries: cachedReader(source, tablePages), bitmaps: cachedReader(source, bitmapPages) };
  let table: Promise<OpenTable> | undefined;
  source.changes?.on(readers, () => (table = undefined));
  const open = async (): Promise<OpenTable> => {
    const isSound = (block: number, entry: number): boolean =>
      problemOf({ file, header, dataEnd }, block, entry) === undefined;
    return { file, header, dataEnd, ...readers, overlaps: await findOverlaps(source, header, isSound) };
  };
  return async (offset, length) => mapBlocks(await (table ??= open()), offset, length);
}

async function mapBlocks(table: OpenTable, offset: number, length: number): Promise<LayerExtent[]> {
  const { blockSize, tableOffset } = table.header;
  const pieceSize = Math.min(blockSize, PIECE_SIZE);
  const end = offset + length;
  let at = offset - (offset % pieceSize);
  const extents = new Builder<LayerExtent>(offset - at, length);
  for (let step = 0; at < end && step < STEPS_LIMIT && !extents.isFull; step++) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const first = Math.floor(at / blockSize);
    const count = Math.min(Math.ceil(end / blockSize) - first, PAGE_ENTRIES);
    const entries = await table.entries.read(
      tableOffset + first * TABLE_ENTRY_SIZE,
      count * TABLE_ENTRY_SIZE,
    );
    const absentCount = absentRunLength(entries);
    if (absentCount > 0) {
      const next = (first + absentCount) * blockSize;
      extents.add({ kind: "absent", length: next - at });
      at = next;
      continue;
    }
    const pieces: Piece[] = [];
    for (; at < end && pieces.length < PIECES_AT_ONCE; at += pieceSize) {
      const block = Math.floor(at / blockSize);
      if (block >= first + count) break;
      const entry = entryAt(entries, block - first);
      if (entry === ABSENT) break;
      pieces.push({
        mapping: mappingOf(table, block, entry, table.overlaps),
        skip: at - block * blockSize,
        length: pieceSize,
      });
    }
    const bitmaps = await Promise.all(pieces.map(async (piece) => readBitmap(table, piece)));
    pieces.forEach((piece, index) => {
      addPiece(extents, table, piece, bitmaps[index]);
    });
  }
  return extents.list;
}

/** Adds what the bits of `bitmap` say about `piece`, until the list is full. */
function addPiece(
  extents: Builder<LayerExtent>,
  { file, header }: OpenTable,
  { mapping, skip, length }: Piece,
  bitmap: Buffer | DiskError | undefined,
): void {
  if (mapping.kind !== "stored") {
    extents.add({ ...mapping, length });
    return;
  }
  if (!Buffer.isBuffer(bitmap)) {
    extents.add({ kind: "damaged", length, error: bitmap! });
    return;
  }
  const data = mapping.offset + header.bitmapSize + skip;
  const first = (skip / SECTOR_SIZE) % 8;
  const end = first + length / SECTOR_SIZE;
  for (let bit = first; bit < end && !extents.isFull;) {
    const run = bitRunLength(bitmap, bit, end);
    const offset = data + (bit - first) * SECTOR_SIZE;
    if (isBitSet(bitmap, bit)) addStored(extents, file, offset, run * SECTOR_SIZE);
    else extents.add({ kind: "absent", length: run * SECTOR_SIZE });
    bit += run;
  }
}

/**
 * Returns the part of a bitmap that is about `piece`, from a whole byte on; or why it cannot be read, which is no reason
 * not to read other blocks. Undefined if no bitmap is needed.
 */
async function readBitmap(
  { bitmaps }: OpenTable,
  { mapping, skip, length }: Piece,
): Promise<Buffer | DiskError | undefined> {
  if (mapping.kind !== "stored") return undefined;
  const start = Math.floor(skip / BYTES_PER_BITMAP_BYTE);
  const end = Math.ceil((skip + length) / BYTES_PER_BITMAP_BYTE);
  try {
    return await bitmaps.read(mapping.offset + start, end - start);
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw error;
  }
}

/** How many of `entries`, from the first on, are absent blocks. */
function absentRunLength(entries: Buffer): number {
  let count = 0;
  while (count * TABLE_ENTRY_SIZE < entries.length && entryAt(entries, count) === ABSENT) count++;
  return count;
}

function entryAt(entries: Buffer, index: number): number {
  return readU32be(entries, index * TABLE_ENTRY_SIZE);
}

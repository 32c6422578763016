/**
 * VDI's block map: one entry for each block of the disk. A read travels through it in three steps: the entries of the
 * wanted blocks are read; `mappingOf` says what one entry means; and entries that make one run become one extent.
 * Source: VirtualBox src/VBox/Storage/VDICore.h and VDI.cpp (facts only).
 */
import { readU32le } from "../../bytes/struct.js";
import { CorruptError } from "../../errors.js";
import { cachedReader, pagePool, type CachedReader } from "../../extent/cache.js";
import { addStored, Builder } from "../../extent/builder.js";
import type { LayerExtent } from "../../extent/extent.js";
import { storageSource } from "../../extent/storage.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import type { Storage } from "../../storage/storage.js";
import { TABLE_ENTRY_SIZE, type VdiHeader } from "./header.js";

/** A block that was never written: the parent's, or zero where there is no parent. VDICore.h, VDI_IMAGE_BLOCK_FREE. */
const FREE = 0xffffffff;

/** A block of zeros, which hides the parent's. VDICore.h, VDI_IMAGE_BLOCK_ZERO. */
const ZERO = 0xfffffffe;

/** Entries that are read at once: one page of the cache. */
const PAGE_ENTRIES = 2 ** 10;

/** Pages of the block map that one call of `map` reads at most. */
const PAGES_LIMIT = 64;

/**
 * The block maps of all open images share one cache: the map of a disk of 2 TiB takes 8 MiB, and a chain has up to
 * hundreds of images. A page of 4 KiB maps a gigabyte, and a read anywhere needs one page of each image.
 */
const mapPages = pagePool(8 * 2 ** 20, PAGE_ENTRIES * TABLE_ENTRY_SIZE);

/** What one entry of the block map says about its block. */
type BlockMapping =
  | { readonly kind: "absent" | "zero" }
  /** `offset`: the byte of the file where the block's data begins. */
  | { readonly kind: "stored"; readonly offset: number }
  | { readonly kind: "damaged"; readonly error: CorruptError };

export interface BlockMap {
  /** As `Layer.map`. */
  map(offset: number, length: number): Promise<LayerExtent[]>;
}

export function openBlockMap(file: Storage, header: VdiHeader): BlockMap {
  const table = cachedReader(storageSource(file), mapPages);
  return { map: (offset, length) => mapBlocks(file, header, table, offset, length) };
}

async function mapBlocks(
  file: Storage,
  header: VdiHeader,
  table: CachedReader,
  offset: number,
  length: number,
): Promise<LayerExtent[]> {
  const { blockSize, tableOffset } = header;
  let block = Math.floor(offset / blockSize);
  const end = Math.ceil((offset + length) / blockSize);
  const extents = new Builder<LayerExtent>(offset - block * blockSize, length);
  for (let pages = 0; pages < PAGES_LIMIT && !extents.isFull; pages++) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const count = Math.min(end - block, PAGE_ENTRIES);
    const entries = await table.read(tableOffset + block * TABLE_ENTRY_SIZE, count * TABLE_ENTRY_SIZE);
    for (let index = 0; index < count;) {
      const blocks = runLength(header, entries, index);
      addBlocks(extents, file, mappingOf(file, header, block, entryAt(entries, index)), blocks * blockSize);
      index += blocks;
      block += blocks;
    }
  }
  return extents.list;
}

/** What `entry`, the block map's entry for `block`, says. */
function mappingOf(file: Storage, header: VdiHeader, block: number, entry: number): BlockMapping {
  if (entry === FREE) return { kind: "absent" };
  if (entry === ZERO) return { kind: "zero" };
  // The header's count of stored blocks is no limit: after a crash of the host it may be older than the map.
  const { blockCount, blockSize, blockExtra, dataOffset, tableOffset } = header;
  if (entry < blockCount)
    return { kind: "stored", offset: dataOffset + entry * (blockExtra + blockSize) + blockExtra };
  const error = new CorruptError({
    file: file.name,
    offset: tableOffset + block * TABLE_ENTRY_SIZE,
    thing: `the VDI block map's entry ${block}`,
    found: entry,
    expected: `below ${blockCount}, the number of the disk's blocks`,
  });
  return { kind: "damaged", error };
}

/** How many of `entries`, from `index` on, make one run: equal ones, or stored blocks that follow each other. */
function runLength({ blockCount, blockExtra }: VdiHeader, entries: Buffer, index: number): number {
  const count = entries.length / TABLE_ENTRY_SIZE - index;
  const entry = entryAt(entries, index);
  const isStored = entry < blockCount;
  // Extra bytes lie between any two blocks, so that none of them continues the other.
  const limit = isStored ? Math.min(count, blockExtra > 0 ? 1 : blockCount - entry) : count;
  const step = isStored ? 1 : 0;
  let length = 1;
  while (length < limit && entryAt(entries, index + length) === entry + length * step) length++;
  return length;
}

/** Adds a run of blocks, `length` bytes. `mapping` is that of its first block. */
function addBlocks(
  extents: Builder<LayerExtent>,
  file: Storage,
  mapping: BlockMapping,
  length: number,
): void {
  if (mapping.kind === "stored") addStored(extents, file, mapping.offset, length);
  else extents.add({ ...mapping, length });
}

function entryAt(entries: Buffer, index: number): number {
  return readU32le(entries, index * TABLE_ENTRY_SIZE);
}

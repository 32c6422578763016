/**
 * VDI's block map: one 32-bit entry for each block of the disk. A call of `map` goes through these steps:
 *
 *     raw entries          `table.read`: the entries of up to PAGE_ENTRIES blocks
 *     run of entries       `runLength`: how many entries from one on make one run
 *     mapping of a block   `mappingOf`: what the run's first entry says
 *     extents              `addRun`: the whole run, of which the builder keeps what was asked for
 *
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
import type { Layer } from "../image.js";
import { TABLE_ENTRY_SIZE, type VdiHeader } from "./header.js";

/** A block that was never written: its bytes are the parent's, or zero without a parent. VDICore.h, VDI_IMAGE_BLOCK_FREE. */
const FREE = 0xffffffff;

/** A block of zeros, whatever the parent has. VDICore.h, VDI_IMAGE_BLOCK_ZERO. */
const ZERO = 0xfffffffe;

/** Entries that one read returns: as many as a page of the cache has. */
const PAGE_ENTRIES = 2 ** 10;

/** Reads of the block map in one call of `map`, so that its cost is bounded. */
const PAGES_LIMIT = 64;

/**
 * The block maps of all open images share one cache, since a chain may have hundreds of images. The whole map of a disk of
 * 2 TiB takes 8 MiB. A page of 4 KiB maps a gigabyte, and a small read needs one page of each image.
 */
const mapPages = pagePool(8 * 2 ** 20, PAGE_ENTRIES * TABLE_ENTRY_SIZE);

/** What an entry of the block map says about its block. */
type BlockMapping =
  | { readonly kind: "absent" | "zero" }
  /** `offset`: the byte of the file where the block's data begins. */
  | { readonly kind: "stored"; readonly offset: number }
  | { readonly kind: "damaged"; readonly error: CorruptError };

/** An open VDI: what every step needs. */
interface Vdi {
  readonly file: Storage;
  readonly header: VdiHeader;
  /** Reads the file through the cache of block maps. */
  readonly table: CachedReader;
}

/** Returns `Layer.map` of the image in `file`. */
export function openBlockMap(file: Storage, header: VdiHeader): Layer["map"] {
  const vdi: Vdi = { file, header, table: cachedReader(storageSource(file), mapPages) };
  return (offset, length) => mapBlocks(vdi, offset, length);
}

async function mapBlocks(vdi: Vdi, offset: number, length: number): Promise<LayerExtent[]> {
  const { blockSize, tableOffset } = vdi.header;
  let block = Math.floor(offset / blockSize);
  const endBlock = Math.ceil((offset + length) / blockSize);
  const extents = new Builder<LayerExtent>(offset - block * blockSize, length);
  for (let pages = 0; pages < PAGES_LIMIT && !extents.isFull; pages++) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const count = Math.min(endBlock - block, PAGE_ENTRIES);
    const entries = await vdi.table.read(tableOffset + block * TABLE_ENTRY_SIZE, count * TABLE_ENTRY_SIZE);
    for (let index = 0; index < count;) {
      const blocks = runLength(vdi.header, entries, index);
      addRun(extents, vdi, mappingOf(vdi, block, entryAt(entries, index)), blocks);
      index += blocks;
      block += blocks;
    }
  }
  return extents.list;
}

/**
 * Returns how many of `entries`, from `index` on, make one run: entries that are equal, or stored blocks that lie one
 * behind the other in the file.
 */
function runLength({ blockCount, blockExtra }: VdiHeader, entries: Buffer, index: number): number {
  const left = entries.length / TABLE_ENTRY_SIZE - index;
  const entry = entryAt(entries, index);
  const isStored = entry < blockCount;
  // The extra bytes in front of each block's data separate it from the block before.
  const limit = isStored ? Math.min(left, blockExtra > 0 ? 1 : blockCount - entry) : left;
  const step = isStored ? 1 : 0;
  let length = 1;
  while (length < limit && entryAt(entries, index + length) === entry + length * step) length++;
  return length;
}

/** Returns what `entry`, the entry of block `block`, says. */
function mappingOf({ file, header }: Vdi, block: number, entry: number): BlockMapping {
  if (entry === FREE) return { kind: "absent" };
  if (entry === ZERO) return { kind: "zero" };
  // The header also counts the stored blocks, but after a crash of the host that count may be older than the map.
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

/** Adds a run of `blocks` blocks; `mapping` is the first one's. */
function addRun(
  extents: Builder<LayerExtent>,
  { file, header }: Vdi,
  mapping: BlockMapping,
  blocks: number,
): void {
  const length = blocks * header.blockSize;
  if (mapping.kind === "stored") addStored(extents, file, mapping.offset, length);
  else extents.add({ ...mapping, length });
}

function entryAt(entries: Buffer, index: number): number {
  return readU32le(entries, index * TABLE_ENTRY_SIZE);
}

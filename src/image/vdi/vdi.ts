/**
 * VDI, VirtualBox's own image format: a header, a block map of one 32-bit entry a block, and the blocks in the
 * order in which they were first written. A block that is free is the parent's, or zero where there is none; a
 * block marked as zero hides the parent's. Fixed images have the same map, with nothing free.
 *
 * header.ts has the header of all versions (0, 1.0, 1.1, with and without geometry); this file the map.
 * Specification: VirtualBox src/VBox/Storage/VDICore.h and VDI.cpp (facts only).
 *
 * Not done: encryption (known to the .vbox alone), repair. A block that two entries name is served to both:
 * finding it means to read the whole map, which is a check's work and not that of an opening.
 */
import { NIL_UUID } from "../../bytes/guid.js";
import { readU32le } from "../../bytes/struct.js";
import { CorruptError } from "../../errors.js";
import { cachedReader, pagePool } from "../../extent/cache.js";
import { append, limited, MAP_LIMIT, type LayerExtent } from "../../extent/extent.js";
import { storageSource } from "../../extent/storage.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import type { Storage } from "../../storage/storage.js";
import type { ImageFormat, Layer } from "../image.js";
import { HEADER_SIZE, isVdi, readHeader, TABLE_ENTRY_SIZE, type VdiHeader } from "./header.js";

export const vdi: ImageFormat = {
  name: "vdi",
  async open(storage) {
    const bytes = Buffer.alloc(Math.min(HEADER_SIZE, storage.size));
    await storage.read(bytes, 0);
    return isVdi(bytes) ? openVdi(storage, readHeader(bytes, storage.name, storage.size)) : undefined;
  },
};

/** VDICore.h, VDI_IMAGE_BLOCK_FREE and VDI_IMAGE_BLOCK_ZERO. */
const FREE = 0xffffffff;
const ZERO = 0xfffffffe;

/** Entries that are decoded at once: one page of the cache. */
const ENTRIES_AT_ONCE = 2 ** 10;

/** Pages of the block map that one call of `map` reads at most. */
const PAGES_AT_ONCE = 64;

/**
 * The block maps of all images together: the map of 2 TiB takes 8 MiB, and a chain has up to hundreds of them. A
 * page of 4 KiB maps a gigabyte, and a read anywhere costs one in each image.
 */
const mapPages = pagePool(8 * 2 ** 20, ENTRIES_AT_ONCE * TABLE_ENTRY_SIZE);

function openVdi(storage: Storage, header: VdiHeader): Layer {
  const table = cachedReader(storageSource(storage), mapPages);
  const { diskSize: size, variant, blockSize, tableOffset, warnings, details } = header;
  const isChild = variant === "differencing" || variant === "undo";
  return {
    format: "vdi",
    storage,
    size,
    variant,
    warnings,
    details,
    ...(header.uuid !== NIL_UUID && { identity: identity(header.uuid, header.modification) }),
    ...(isChild && { parent: identity(header.parentUuid, header.parentModification) }),
    async map(offset, length) {
      const extents: LayerExtent[] = [];
      const end = offset + length;
      for (let at = offset, pages = 0; at < end && pages < PAGES_AT_ONCE; pages++) {
        if (extents.length >= MAP_LIMIT) break;
        const turn = yieldIfDue();
        if (turn !== undefined) await turn;
        const index = Math.floor(at / blockSize);
        const count = Math.min(Math.ceil(end / blockSize) - index, ENTRIES_AT_ONCE);
        const entries = await table.read(tableOffset + index * TABLE_ENTRY_SIZE, count * TABLE_ENTRY_SIZE);
        const skip = at - index * blockSize;
        const part = Math.min(count * blockSize - skip, end - at);
        mapBlocks(extents, storage, header, entries, index, skip, part);
        at += part;
      }
      return limited(extents);
    },
    close: () => storage.close(),
  };
}

function identity(uuid: string, modification: string): { uuid: string; modification?: string } {
  return modification === NIL_UUID ? { uuid } : { uuid, modification };
}

/**
 * Appends what the blocks of `entries` hold: `length` bytes, from `skip` bytes into the first one, which is the
 * disk's block `index`. Entries that make one run become one extent.
 */
function mapBlocks(
  extents: LayerExtent[],
  storage: Storage,
  header: VdiHeader,
  entries: Buffer,
  index: number,
  skip: number,
  length: number,
): void {
  const { blockSize, blockExtra, blockCount } = header;
  const count = entries.length / TABLE_ENTRY_SIZE;
  const end = skip + length;
  for (let at = skip, block = 0; at < end;) {
    const entry = readU32le(entries, block * TABLE_ENTRY_SIZE);
    // The header's own count of stored blocks is not asked: it may be older than the map where the host crashed.
    const isStored = entry < blockCount;
    // Extra room lies between any two blocks, so that none of them continues the other.
    const continued = blockExtra > 0 ? 1 : blockCount - entry;
    const limit = isStored ? Math.min(count, block + continued) : count;
    const step = isStored ? 1 : 0;
    let next = block + 1;
    while (next < limit && readU32le(entries, next * TABLE_ENTRY_SIZE) === entry + (next - block) * step)
      next++;
    const part = Math.min(next * blockSize, end) - at;
    if (entry === FREE) append(extents, { kind: "absent", length: part });
    else if (entry === ZERO) append(extents, { kind: "zero", length: part });
    else if (isStored) {
      const offset =
        header.dataOffset + entry * (blockExtra + blockSize) + blockExtra + (at - block * blockSize);
      appendStored(extents, storage, offset, part);
    } else {
      const error = new CorruptError({
        file: storage.name,
        offset: header.tableOffset + (index + block) * TABLE_ENTRY_SIZE,
        thing: `the VDI block map's entry ${index + block}`,
        found: entry,
        expected: `below ${blockCount}, the number of the disk's blocks`,
      });
      append(extents, { kind: "damaged", length: part, error });
    }
    at += part;
    block = next;
  }
}

/** Appends a run of the file; what should lie past the file's end is damaged, and nothing else is. */
function appendStored(extents: LayerExtent[], storage: Storage, offset: number, length: number): void {
  const inside = Math.max(0, Math.min(length, storage.size - offset));
  append(extents, { kind: "stored", storage, offset, length: inside });
  if (inside === length) return;
  const error = new CorruptError({
    file: storage.name,
    offset: offset + inside,
    thing: "the file's end",
    found: `byte ${storage.size}`,
    expected: `byte ${offset + length} or behind it; the image is cut short`,
  });
  append(extents, { kind: "damaged", length: length - inside, error });
}

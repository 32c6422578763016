/** What one entry of VHD's block table says about its block. */
import { CorruptError } from "../../errors.js";
import type { Storage } from "../../storage/storage.js";
import { TABLE_ENTRY_SIZE, type VhdHeader } from "./header.js";
import { isOverlapping } from "./overlaps.js";
import { SECTOR_SIZE } from "./size.js";

/** What the entry of a block that is not absent says. */
export type BlockMapping =
  /** `offset`: the byte of the file where the block's bitmap begins. */
  | { readonly kind: "stored"; readonly offset: number }
  | { readonly kind: "damaged"; readonly error: CorruptError };

/** Where things lie in an image. */
export interface Layout {
  readonly file: Storage;
  readonly header: VhdHeader;
  /** Where the data ends; behind it are the footer, or nothing. */
  readonly dataEnd: number;
}

/**
 * Returns what `entry`, the table's entry for `block`, says.
 * @param overlaps the sectors of blocks that overlap others, in order.
 */
export function mappingOf(layout: Layout, block: number, entry: number, overlaps: Uint32Array): BlockMapping {
  const { file, header } = layout;
  const expected = isOverlapping(overlaps, entry)
    ? "the place of no other block"
    : problemOf(layout, block, entry);
  if (expected === undefined) return { kind: "stored", offset: entry * SECTOR_SIZE };
  const error = new CorruptError({
    file: file.name,
    offset: header.tableOffset + block * TABLE_ENTRY_SIZE,
    thing: `the sector of block ${block} in the VHD's block table`,
    found: entry,
    expected,
  });
  return { kind: "damaged", error };
}

/** Returns what `entry` would have to be, if `block` cannot lie there. */
export function problemOf(
  { file, header, dataEnd }: Layout,
  block: number,
  entry: number,
): string | undefined {
  const { blockSize, bitmapSize, diskSize, structures, structuresEnd } = header;
  const start = entry * SECTOR_SIZE;
  // The last block may be stored up to the disk's end only.
  const end = start + bitmapSize + Math.min(blockSize, diskSize - block * blockSize);
  // A file that was cut short has no footer: what is still there of its last block can be read.
  if (dataEnd < file.size ? end > dataEnd : start + bitmapSize > dataEnd)
    return `such that the block ends at byte ${dataEnd} or before it`;
  if (start >= structuresEnd) return undefined; // the usual case
  const hit = structures.find((range) => start < range.end && end > range.start);
  return hit === undefined
    ? undefined
    : `such that the block lies outside of bytes ${hit.start} to ${hit.end}, which are the image's own`;
}

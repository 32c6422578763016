/** The values of statfs(2): clusters by $Bitmap, records by the bitmap of the file table. */
import { read } from "../../extent/read.js";
import type { BlockSource } from "../../extent/extent.js";
import type { Usage } from "../filesystem.js";
import { Type } from "./mft/attribute.js";
import { contentsOf } from "./data/contents.js";
import { fileAt, findAttribute } from "./mft/file.js";
import type { Medium } from "./medium.js";

const MFT_NUMBER = 0;
const BITMAP_NUMBER = 6;
const NAME_LIMIT = 255;
const CHUNK_SIZE = 2 ** 20;

export async function usageOf(medium: Medium): Promise<Usage> {
  const { clusterSize, clusterCount, recordSize } = medium.geometry;
  const usedClusters = await countSet(await bitmapOf(medium, BITMAP_NUMBER, Type.data), clusterCount);
  const usedRecords = await countSet(await bitmapOf(medium, MFT_NUMBER, Type.bitmap), medium.mft.count);
  const freeBlocks = Math.max(0, clusterCount - usedClusters);
  // The table grows as long as there is free space.
  const freeFiles =
    Math.max(0, medium.mft.count - usedRecords) + Math.floor((freeBlocks * clusterSize) / recordSize);
  return {
    blockSize: clusterSize,
    blocks: clusterCount,
    freeBlocks,
    availableBlocks: freeBlocks,
    files: usedRecords + freeFiles,
    freeFiles,
    maximumNameLength: NAME_LIMIT,
  };
}

async function bitmapOf(medium: Medium, number: number, type: number): Promise<BlockSource | undefined> {
  const attribute = await findAttribute(medium, await fileAt(medium, number), type);
  return attribute && contentsOf(medium, attribute);
}

/** How many of the first `count` bits of `source` are set. */
async function countSet(source: BlockSource | undefined, count: number): Promise<number> {
  let set = 0;
  const end = Math.min(source?.size ?? 0, Math.ceil(count / 8));
  for (let at = 0; at < end; at += CHUNK_SIZE) {
    const bytes = await read(source!, at, Math.min(CHUNK_SIZE, end - at));
    // Bits behind the last cluster are set.
    if (at + bytes.length === Math.ceil(count / 8) && count % 8 !== 0)
      bytes[bytes.length - 1]! &= (1 << (count % 8)) - 1;
    for (let i = 0; i < bytes.length; i++) set += BITS[bytes[i]!]!;
  }
  return set;
}

const BITS = Uint8Array.from({ length: 256 }, (_, byte) => {
  let bits = 0;
  for (let rest = byte; rest > 0; rest >>= 1) bits += rest & 1;
  return bits;
});

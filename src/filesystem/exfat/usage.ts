/** The values of statfs(2). Clusters in use are counted in the allocation bitmap. */
import { CorruptError } from "../../errors.js";
import { read } from "../../extent/read.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import type { Usage } from "../filesystem.js";
import type { Medium } from "./medium.js";
import { tableSource, type Tables } from "./tables.js";

/** Bytes: 255 units of UTF-16. */
const LONGEST_NAME = 255 * 3;

/** Bytes of the bitmap that are read at a time. */
const STEP = 2 ** 18;

/** @throws {DiskError} if the bitmap is missing, too short or cannot be read. */
export async function usageOf(medium: Medium, { bitmap }: Tables): Promise<Usage> {
  const { clusterCount, clusterSize, volume } = medium.heap;
  const length = Math.ceil(clusterCount / 8);
  if (bitmap === undefined || bitmap.record.size < length) {
    throw new CorruptError({
      file: volume.name,
      ...(bitmap && { offset: bitmap.offset }),
      thing: "the size of the allocation bitmap",
      found: bitmap === undefined ? "not there" : `${bitmap.record.size} bytes`,
      expected: `at least ${length} bytes`,
    });
  }
  const source = tableSource(medium, bitmap, "allocation bitmap");
  let used = 0;
  for (let at = 0; at < length;) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const [extent] = await source.map(at, length - at);
    if (extent?.kind === "zero") {
      at += extent.length; // stored nowhere: nothing to read
      continue;
    }
    const bytes = await read(source, at, Math.min(STEP, length - at));
    at += bytes.length;
    // The last byte may have bits behind the last cluster.
    if (at === length && clusterCount % 8 > 0) bytes[bytes.length - 1]! &= (1 << (clusterCount % 8)) - 1;
    used += onesIn(bytes);
  }
  const free = clusterCount - used;
  return {
    blockSize: clusterSize,
    blocks: clusterCount,
    freeBlocks: free,
    availableBlocks: free,
    files: 0,
    freeFiles: 0,
    maximumNameLength: LONGEST_NAME,
  };
}

function onesIn(bytes: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < bytes.length; at++) count += BITS[bytes[at]!]!;
  return count;
}

/** Ones in each byte. */
const BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);

/**
 * Divides a disk into volumes. The partition schemes are tried in order, and the first that finds its table is used. A disk
 * without a table, or whose table cannot be read, is one volume.
 */
import { DiskError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { readGpt } from "./gpt/gpt.js";
import { readMbr } from "./mbr/mbr.js";
import type { VolumeTable } from "./volume.js";
import { wholeDisk } from "./whole-disk.js";

/** In probe order. GPT is first: a disk with a GPT also has an MBR, which is protective or lists only some partitions. */
const SCHEMES: readonly ((disk: BlockSource) => Promise<VolumeTable | undefined>)[] = [readGpt, readMbr];

/**
 * Reads the partition table of `disk`. Returns a single volume over the whole disk if there is no table, or if it cannot be
 * read: then `problem` says why.
 */
export async function readVolumes(disk: BlockSource): Promise<VolumeTable> {
  try {
    for (const readScheme of SCHEMES) {
      const table = await readScheme(disk);
      if (table !== undefined) return table;
    }
    return wholeDisk(disk);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const warning = `the partition table cannot be read, vol0 is the whole disk: ${error.message}`;
    return { ...wholeDisk(disk), warnings: [warning], problem: error };
  }
}

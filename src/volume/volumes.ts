/**
 * What a disk is divided into. The schemes are asked in order; the first that knows the disk answers. A disk that
 * none knows, or whose table cannot be read, is one volume from end to end.
 */
import { DiskError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { readGpt } from "./gpt/gpt.js";
import { readMbr } from "./mbr/mbr.js";
import type { VolumeTable } from "./volume.js";
import { wholeDisk } from "./whole-disk.js";

/** In probe order. GPT before MBR: a GPT disk has a protective MBR too, and a hybrid one shows only a part. */
const SCHEMES: readonly ((disk: BlockSource) => Promise<VolumeTable | undefined>)[] = [readGpt, readMbr];

/**
 * Reads the partition table of `disk`. Returns a single volume over all of it where it has none, or where the table is
 * damaged beyond use: then `problem` says why.
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

/**
 * What a disk is divided into. The schemes are asked in order; the first that knows the disk answers. A disk that
 * none knows is one volume from end to end.
 */
import type { BlockSource } from "../extent/extent.js";
import { readGpt } from "./gpt.js";
import { readMbr } from "./mbr.js";
import type { VolumeTable } from "./volume.js";
import { wholeDisk } from "./whole-disk.js";

/** In probe order. GPT before MBR: a GPT disk has a protective MBR too, and a hybrid one shows only a part. */
const SCHEMES: readonly ((disk: BlockSource) => Promise<VolumeTable | undefined>)[] = [readGpt, readMbr];

/**
 * The partition table of `disk` and its volumes; for a disk without one, a single volume over all of it.
 * @throws {DiskError} where there is a GPT of which neither copy is whole, with what is wrong in both places.
 * @throws {DiskError} where the first sector cannot be read and no GPT copy says what it held.
 */
export async function readVolumes(disk: BlockSource): Promise<VolumeTable> {
  for (const readScheme of SCHEMES) {
    const table = await readScheme(disk);
    if (table !== undefined) return table;
  }
  return wholeDisk(disk);
}

/** How large disks are to their guests: their newest images say so. */
import { DiskError } from "../errors.js";
import { openImageAt } from "../image/formats.js";
import type { Machine } from "./machine.js";
import { mapParallel } from "./parallel.js";

const FILES_AT_ONCE = 4;

/** Bytes, by the path of each disk's newest image; without those that cannot be read. */
export async function diskSizes(machines: readonly Machine[]): Promise<ReadonlyMap<string, number>> {
  const images = machines.flatMap(({ disks }) => disks.flatMap(({ states }) => states.at(-1)?.image ?? []));
  const sizes = await mapParallel([...new Set(images)], FILES_AT_ONCE, async (image) => {
    try {
      const opened = await openImageAt(image);
      try {
        return [[image, (await opened.layer()).size] as const];
      } finally {
        await opened.close();
      }
    } catch (error) {
      if (error instanceof DiskError) return [];
      throw error;
    }
  });
  return new Map(sizes.flat());
}

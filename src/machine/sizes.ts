/** The sizes of disks as their guests see them, from their newest images. */
import { dirname } from "node:path";
import { DiskError } from "../errors.js";
import { openImageAt } from "../image/formats.js";
import type { Machine } from "./machine.js";
import { mapParallel } from "./parallel.js";

const FILES_AT_ONCE = 4;

/** Returns bytes by the path of each disk's newest image. Images that cannot be read are left out. */
export async function diskSizes(machines: readonly Machine[]): Promise<ReadonlyMap<string, number>> {
  const images = new Map(
    machines.flatMap(({ path, disks }) =>
      disks.flatMap(({ states }) => {
        const image = states.at(-1)?.image;
        return image === undefined ? [] : [[image, dirname(path)] as const];
      }),
    ),
  );
  const sizes = await mapParallel([...images], FILES_AT_ONCE, async ([image, folder]) => {
    try {
      const opened = await openImageAt(image, { allowDirs: [folder] });
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

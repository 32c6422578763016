/** Finds the images that are registered with the VirtualBox machine of an image, for the search for its parents. */
import { dirname } from "node:path";
import type { FindImages, RegisteredImage } from "../../image/registry.js";
import { withDescendants } from "../descendants.js";
import { existingFiles, ownersOf } from "./owners.js";

/**
 * Returns the images that are registered with the machine of `image`. A settings file that cannot be read is ignored, with a
 * warning.
 */
export const findVirtualBoxImages: FindImages = async (image) => {
  const { machines, media, warnings } = await ownersOf(image);
  const images: RegisteredImage[] = withDescendants(media).flatMap(({ path, uuid }) =>
    path === undefined ? [] : [{ path, uuid }],
  );
  const folders: string[] = [];
  for (const { file, settings } of machines) {
    const folder = dirname(file);
    folders.push(folder);
    for (const { location, uuid } of withDescendants(settings.media)) {
      for (const path of await existingFiles(location, folder)) images.push({ path, uuid });
    }
  }
  return { folders, images, warnings: [...warnings, ...machines.flatMap((machine) => machine.warnings)] };
};

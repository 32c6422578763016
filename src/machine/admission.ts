/** Whether an image that a machine's configuration names may be opened: it may come from a stranger. */
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { DeniedError, fromHost } from "../errors.js";
import { openLayer } from "../image/formats.js";
import { openFile } from "../storage/file.js";
import { isWithin } from "../storage/gate.js";

/**
 * Lets `image` pass when it lies within one of `folders` once every symbolic link is followed, or when it says itself
 * that it is the very image `imageUuid`. A configuration must not be able to show `/etc/shadow` as a disk.
 * @returns what is to be warned of.
 * @throws {DeniedError} where it is neither.
 * @throws {DiskError} where it is no image that is read.
 */
export async function admitImage(
  image: string,
  imageUuid: string,
  folders: readonly string[],
): Promise<string[]> {
  const real = await realpath(image).catch((error: unknown) => {
    throw fromHost(error, image);
  });
  const roots = await Promise.all(folders.map((folder) => realpath(folder).catch(() => undefined)));
  const isInside = roots.some((root) => root !== undefined && isWithin(root, real));
  const found = await uuidOf(real, image);
  if (found === imageUuid) return [];
  if (!isInside) {
    throw new DeniedError({
      file: image,
      thing:
        "a machine's configuration registers this file, but nothing in it says that it is this image, and it lies outside the machine's folder",
      hint: `allow it with --allow-dir ${JSON.stringify(dirname(real))}`,
    });
  }
  return found === undefined
    ? []
    : [`${image}: this image is {${found}}, but {${imageUuid}} is registered in its place`];
}

async function uuidOf(path: string, name: string): Promise<string | undefined> {
  const storage = await openFile(path, name);
  try {
    return (await openLayer(storage)).identity?.uuid;
  } finally {
    await storage.close();
  }
}

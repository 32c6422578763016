/**
 * Whether an image that a configuration names may be shown. The configuration may come from a stranger, and files may be
 * renamed while it is read; so the image that was opened is checked, by its contents and its descriptor.
 */
import { dirname } from "node:path";
import { DeniedError } from "../errors.js";
import { openImageAt } from "../image/formats.js";
import type { Image } from "../image/image.js";
import { isWithin, locate, resolveAll } from "../storage/gate.js";

/** What an image must satisfy that was not named by the user. Plain data: it may be sent to another process. */
export interface Admission {
  /** Lower case, without braces; empty where it is not known. */
  readonly imageUuid: string;
  /** The folders in which any image is allowed. */
  readonly folders: readonly string[];
}

/**
 * Checks an open image: it must lie within one of the folders, or contain the UUID that it is registered with. A
 * configuration must not be able to show `/etc/shadow` as a disk.
 * @returns warnings.
 * @throws {DeniedError} where neither holds.
 */
export async function admit(
  { files: [file], identity }: Image,
  { imageUuid, folders }: Admission,
): Promise<string[]> {
  const found = identity?.uuid;
  if (imageUuid !== "" && found === imageUuid) return [];
  const place = await locate(file);
  const roots = await resolveAll(folders);
  if (place === undefined || !roots.some((root) => isWithin(root, place))) {
    throw new DeniedError({
      file: file.name,
      thing:
        "a machine's configuration registers this file, but nothing in it says that it is this image, and it lies outside the machine's folder",
      hint: `allow it with --allow-dir ${JSON.stringify(dirname(place ?? file.location))}`,
    });
  }
  return found === undefined || imageUuid === ""
    ? []
    : [`${file.name}: this image is {${found}}, but {${imageUuid}} is registered in its place`];
}

/**
 * Checks the image at `path` as `admit`, and closes it again. What is shown later is opened anew, and must be checked
 * again then: this only tells the user early.
 * @throws {DiskError} also where the file is not an image that vdisk reads.
 */
export async function admitImage(path: string, admission: Admission): Promise<string[]> {
  const image = await openImageAt(path, { allowDirs: admission.folders });
  try {
    return await admit(image, admission);
  } finally {
    await image.close();
  }
}

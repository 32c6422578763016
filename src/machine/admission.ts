/**
 * Checks whether an image that a configuration names may be shown. The configuration may come from a stranger, and files
 * may be renamed meanwhile; so the open image is checked, by its contents and its descriptor.
 */
import { dirname } from "node:path";
import { DeniedError } from "../errors.js";
import { openImageAt } from "../image/formats.js";
import type { Image } from "../image/image.js";
import { isWithin, locate, resolveAll } from "../storage/gate.js";

/** The conditions for an image that the user did not name. Plain data, so that it can be sent to another process. */
export interface Admission {
  /** Lower case, without braces; empty if it is not known. */
  readonly imageUuid: string;
  /** The folders in which any image is allowed. */
  readonly folders: readonly string[];
}

/**
 * Checks an open image: it must lie within one of the folders, or contain the UUID that it is registered with. A
 * configuration must not be able to show `/etc/shadow` as a disk.
 * @returns warnings.
 * @throws {DeniedError} if neither is the case.
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
        "a machine's configuration registers this file, but the file lies outside the machine's folder and does not contain the UUID that is registered",
      hint: `allow it with --allow-dir ${JSON.stringify(dirname(place ?? file.location))}`,
    });
  }
  return found === undefined || imageUuid === ""
    ? []
    : [`${file.name}: the UUID of this image is {${found}}, but {${imageUuid}} is registered`];
}

/**
 * Opens the image at `path`, checks it with `admit`, and closes it. This reports problems early; when the image is opened
 * to be shown, it must be checked again.
 * @throws {DiskError} also if the file is not an image that vdisk reads.
 */
export async function admitImage(path: string, admission: Admission): Promise<string[]> {
  const image = await openImageAt(path, { allowDirs: admission.folders });
  try {
    return await admit(image, admission);
  } finally {
    await image.close();
  }
}

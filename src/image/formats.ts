/** The image formats, in the order in which they are tried. Raw, which takes anything, is the last. */
import { UnsupportedError } from "../errors.js";
import type { Storage } from "../storage/storage.js";
import type { ImageFormat, Layer } from "./image.js";
import { raw } from "./raw.js";
import { vdi } from "./vdi/vdi.js";

export const formats: readonly ImageFormat[] = [vdi, raw];

/**
 * The layer that `storage` holds. On an error the storage stays the caller's.
 * @throws {DiskError} where it is none, or damaged, or of a kind that we do not read.
 */
export async function openLayer(storage: Storage, among: readonly ImageFormat[] = formats): Promise<Layer> {
  for (const format of among) {
    const layer = await format.open(storage);
    if (layer !== undefined) return layer;
  }
  throw new UnsupportedError({ file: storage.name, thing: "this is no disk image of a format that is read" });
}

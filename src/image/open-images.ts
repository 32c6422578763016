/**
 * The open images that the chains of a disk share. An image is opened once for each format that it is read as, and its
 * states have one layer each, however many chains they are part of.
 */
import { realpath } from "node:fs/promises";
import { whenHostFails } from "../errors.js";
import { closeAll, closeOnError } from "../storage/closing.js";
import { openImageAt, pathOf, type ImageOptions, type OpenedImage } from "./formats.js";
import type { Image, Layer } from "./image.js";

export interface SharedImages {
  /**
   * Returns the image at `path`, as the format that its signature shows.
   * @throws {DiskError} as `openImageAt`.
   */
  open(path: string): Promise<Image>;
  /**
   * Takes over an image that a gate opened, so that its location is without symbolic links. If that file is open already as
   * the same format, closes the image and returns the shared one.
   */
  share(opened: OpenedImage): Promise<Image>;
  /** Returns the layer of the state with the id `state`; of the current state by default. */
  layer(image: Image, state?: string): Promise<Layer>;
  close(): Promise<void>;
}

export function sharedImages(options: ImageOptions): SharedImages {
  /** By format and path. Paths are without symbolic links. */
  const images = new Map<string, Image>();
  /** The format that probing finds, by path. */
  const probed = new Map<string, string>();
  /** By the state's id. */
  const layers = new Map<Image, Map<string, Layer>>();

  async function add(path: string, { image, isProbed }: OpenedImage): Promise<Image> {
    if (isProbed) probed.set(path, image.format);
    const key = keyOf(image.format, path);
    const known = images.get(key) ?? image;
    images.set(key, known);
    if (known !== image) await image.close();
    return known;
  }

  return {
    async open(path) {
      const real = await realpath(path).catch(whenHostFails(path));
      const known = images.get(keyOf(probed.get(real), real));
      if (known !== undefined) return known;
      const image = await openImageAt(path, options);
      return add(await closeOnError(image, () => pathOf(image.files[0])), { image, isProbed: true });
    },
    share: (opened) => add(opened.image.files[0].location, opened),
    async layer(image, state = image.states[0].id) {
      const known = layers.get(image) ?? new Map<string, Layer>();
      layers.set(image, known);
      const layer = known.get(state) ?? (await image.layer(state));
      known.set(state, layer);
      return layer;
    },
    async close() {
      const open = [...images.values()];
      images.clear();
      probed.clear();
      layers.clear();
      await closeAll(open);
    },
  };
}

const keyOf = (format: string | undefined, path: string): string => `${format} ${path}`;

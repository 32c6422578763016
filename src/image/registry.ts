/** What opening a chain needs to know about the machine that owns an image. The module machine/ implements it. */

export interface Registry {
  /** The machine's folders, as absolute paths: all files below them belong to the machine. */
  readonly folders: readonly string[];
  /** The images that are registered. An image may be listed with several paths, the most probable first. */
  readonly images: readonly RegisteredImage[];
  /** Sentences about settings that could not be read, and were ignored. */
  readonly warnings: readonly string[];
}

export interface RegisteredImage {
  /** Absolute. */
  readonly path: string;
  /** Lower case, without braces. */
  readonly uuid: string;
}

/**
 * Finds the machine that owns an image. `path` is absolute and without symbolic links; `uuid` is set if the image has one and
 * is open already.
 */
export type FindImages = (image: { readonly path: string; readonly uuid?: string }) => Promise<Registry>;

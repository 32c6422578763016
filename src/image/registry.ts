/** What openChain needs to know of the machine that owns an image. The module machine/, above, provides it. */

export interface Registry {
  /** The machine's own folders: what lies below them is the machine's. Absolute. */
  readonly folders: readonly string[];
  /** The images that are registered; one image may be listed with several paths, the likeliest first. */
  readonly images: readonly RegisteredImage[];
  /** What could not be read, and was ignored. */
  readonly warnings: readonly string[];
}

export interface RegisteredImage {
  /** Absolute. */
  readonly path: string;
  /** Lower case, without braces. */
  readonly uuid: string;
}

/** Finds the registry of the machine that owns the image at `path` (absolute, resolved), whose UUID may be known. */
export type FindImages = (image: { readonly path: string; readonly uuid?: string }) => Promise<Registry>;

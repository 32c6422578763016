/** What openChain wants to know of the machine that owns an image. The machine's room, above, fills it in. */

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

/** Asks the machine of the image at `path` (absolute, resolved), whose UUID may be known. */
export type FindImages = (image: { readonly path: string; readonly uuid?: string }) => Promise<Registry>;

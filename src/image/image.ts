/** What every image format gives: one image as a layer of a chain. A driver never touches a parent. */
import type { LayerExtent } from "../extent/extent.js";
import type { Storage } from "../storage/storage.js";

/** How images of one chain know each other. */
export interface Identity {
  /** The image's own UUID, lower case, without braces. */
  readonly uuid: string;
  /** Renewed whenever the image is written to. */
  readonly modification?: string;
}

/** What a differencing image says of the image that it was made on. */
export interface ParentReference {
  readonly uuid: string;
  /** The parent's modification UUID when the child was made; undefined where it was not noted. */
  readonly modification?: string;
}

/** One image of a chain. */
export interface Layer {
  /** "vdi", "raw". */
  readonly format: string;
  readonly storage: Storage;
  /** Bytes of the disk, as this image has it. */
  readonly size: number;
  readonly identity?: Identity;
  /** Set for a differencing image only. */
  readonly parent?: ParentReference;
  /** For `info`: "dynamic", "fixed", "differencing", "undo". */
  readonly variant: string;
  /** What is odd or damaged, but did not stop us. */
  readonly warnings: readonly string[];
  /** Further facts for `info --verbose`, by name. */
  readonly details: Readonly<Record<string, unknown>>;
  /** What `[offset, offset + length)` consists of, by this image alone. */
  map(offset: number, length: number): Promise<LayerExtent[]>;
  /** Closes the storage too. */
  close(): Promise<void>;
}

/** An image format: one array lists them all, in probe order, raw last. */
export interface ImageFormat {
  readonly name: string;
  /**
   * The layer that `storage` holds, or `undefined` where it is not of this format. The layer owns the storage
   * from then on; on `undefined` and on an error it stays the caller's.
   * @throws {DiskError} where it is of this format, but damaged or of a kind that we do not read.
   */
  open(storage: Storage): Promise<Layer | undefined>;
}

/**
 * What every image format provides. A driver turns a file into an image: its files, its states, and for each state a
 * layer, which says what that state adds to its parent. A driver never opens a parent.
 */
import type { LayerExtent } from "../extent/extent.js";
import type { Gate } from "../storage/gate.js";
import type { Storage } from "../storage/storage.js";

/** How the images of a chain identify each other. */
export interface Identity {
  /** The image's own UUID, lower case, without braces. */
  readonly uuid: string;
  /** Changes whenever the image is written to: VDI's modification UUID, for example. */
  readonly modification?: string;
}

/** An image that may be the parent of another. */
export interface ImageFacts {
  /** The format's name. */
  readonly format: string;
  readonly identity?: Identity;
  /** When its file was last written to: milliseconds since 1970. */
  readonly modified: number;
}

/**
 * Whether an image is a child's parent. "same": it is, unchanged since the child was made. "changed": it is, but it was
 * written to. "unknown": it is, and nothing tells whether it was written to.
 */
export type Match = "same" | "changed" | "unknown" | "different";

/** What a child knows of its parent. */
export interface ParentReference {
  /** Files near the child are searched for this identity. Without it, only `hints` lead to the parent. */
  readonly identity?: Identity;
  /** The parent's path as the child has it, the likeliest first. Relative paths begin at the child's folder. */
  readonly hints: readonly string[];
  /** The name of the parent's format, where the child has it: no other format is tried then. */
  readonly format?: string;
  /** Whether `candidate` is the parent, by what the format keeps as proof. */
  matches(candidate: ImageFacts): Match;
}

/** A state of the disk that an image contains. */
export interface ImageState {
  /** Unique within the image. */
  readonly id: string;
  readonly name: string;
}

/** The state of an image that has no internal snapshots, and the first of one that has. */
export const CURRENT: ImageState = { id: "current", name: "current" };

/** An open image. */
export interface Image {
  /** The format's name: "vdi", "raw". */
  readonly format: string;
  /** All files of the image; first the one by which it was opened. */
  readonly files: readonly [Storage, ...Storage[]];
  readonly identity?: Identity;
  /** First the current state, then the internal snapshots. */
  readonly states: readonly [ImageState, ...ImageState[]];
  /**
   * The layer of the state with the id `state`; of the current state by default.
   * @throws {DiskError} where the image has no such state, or where it is damaged.
   */
  layer(state?: string): Promise<Layer>;
  /** Closes all files. */
  close(): Promise<void>;
}

/** One state of one image, as part of a chain. */
export interface Layer {
  readonly image: Image;
  readonly state: ImageState;
  /** Bytes of the disk in this state. */
  readonly size: number;
  /** Set for a differencing image only. */
  readonly parent?: ParentReference;
  /** For `info`: "dynamic", "fixed", "differencing", "undo". */
  readonly variant: string;
  /** What is odd or damaged, but does not prevent reading. */
  readonly warnings: readonly string[];
  /** Further facts for `info --verbose`, by name. */
  readonly details: Readonly<Record<string, unknown>>;
  /** What `[offset, offset + length)` consists of in this layer, under the terms of `BlockSource.map`. */
  map(offset: number, length: number): Promise<LayerExtent[]>;
}

/** Both ends of a file, where formats have their signatures. */
export interface Edges {
  /** The file's name in error messages. */
  readonly name: string;
  /** Bytes of the file. */
  readonly size: number;
  /** The first EDGE_SIZE bytes, and the last; fewer where the file is smaller. */
  readonly head: Buffer;
  readonly tail: Buffer;
}

/** Bytes of each end that a probe sees. */
export const EDGE_SIZE = 512;

/** An image format. formats.ts lists them all, in probe order. */
export interface ImageFormat {
  readonly name: string;
  /** Whether a file is of this format. Damage further inside is for `open` to report. */
  probe(edges: Edges): boolean;
  /**
   * Opens the image that begins in `file`; other files that it names are opened through `gate`. The image owns all of
   * them; on an error `file` stays the caller's, and the others are closed.
   * @throws {DiskError} where it is damaged, or of a kind that is not read.
   */
  open(file: Storage, gate: Gate): Promise<Image>;
}

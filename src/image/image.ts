/**
 * What every image format provides. A driver opens a file as an image: its files, its states, and for each state a
 * layer, which maps the bytes that this state has itself and leaves the others to its parent. A driver never opens a
 * parent: chain.ts does.
 */
import type { ByteRange, Changes } from "../bytes/changes.js";
import type { Timestamp } from "../bytes/time.js";
import type { LayerExtent } from "../extent/extent.js";
import type { Gate } from "../storage/gate.js";
import type { Storage } from "../storage/storage.js";

/** What distinguishes an image from others, and its present contents from earlier ones. */
export interface Identity {
  /** The image's own UUID, lower case, without braces. Absent where the image has none, as VMware's have none. */
  readonly uuid?: string;
  /** A value that changes when the image is written to: VDI's modification UUID, VMDK's CID. */
  readonly modification?: string;
}

/** What `ParentReference.matches` compares. */
export interface ImageFacts {
  /** The format's name. */
  readonly format: string;
  readonly identity?: Identity;
  /** When the first file was last written to, in milliseconds since 1970. Absent if the host does not say. */
  readonly modified?: number;
}

/**
 * The result of comparing an image with what a child notes about its parent:
 *
 * - "same": the image is the parent, and has not been written to since the child was made;
 * - "changed": the image is the parent, but has been written to since;
 * - "unknown": the image is the parent; whether it has been written to is not known;
 * - "different": the image is not the parent.
 */
export type Match = "same" | "changed" | "unknown" | "different";

/** What a child notes about its parent, if that is another image. */
export interface ParentReference {
  /** With a UUID, files near the child are searched for it. Without one, only `hints` lead to the parent. */
  readonly identity?: Identity;
  /** The parent's paths as the child notes them, the most probable first. Relative paths begin at the child's folder. */
  readonly hints: readonly string[];
  /** The name of the parent's format. If it is set, no other format is tried. */
  readonly format?: string;
  /** When the parent was last written to, as the child notes it, in milliseconds since 1970; for messages. */
  readonly modified?: number;
  /** The id of the parent's state that the child was made on; its current state by default. */
  readonly state?: string;
  /** Compares `candidate` with what the child notes as proof: a UUID, a CID, a time stamp. */
  matches(candidate: ImageFacts): Match;
}

/** A state of the disk that an image contains: the current one, or an internal snapshot. */
export interface ImageState {
  /** Unique within the image. */
  readonly id: string;
  /** What users call it. Two states of an image may have the same name. */
  readonly name: string;
  /** When the snapshot was taken, where the format notes it. */
  readonly taken?: Timestamp;
}

/** The current state, of a format that has no ids of its own for it. */
export const CURRENT: ImageState = { id: "current", name: "current" };

/** An open image: one file or several, with one state or several. */
export interface Image {
  /** The format's name: "vdi", "raw". */
  readonly format: string;
  /** All files of the image; first the one by which it was opened. */
  readonly files: readonly [Storage, ...Storage[]];
  readonly identity?: Identity;
  /** First the current state, then the internal snapshots, the oldest first. */
  readonly states: readonly [ImageState, ...ImageState[]];
  /**
   * Returns the layer of the state with the id `state`; of the current state by default.
   * @throws {MissingError} if the image has no such state.
   * @throws {DiskError} if the state is damaged, or cannot be read.
   */
  layer(state?: string): Promise<Layer>;
  /** Closes all files, also when closing one of them fails. */
  close(): Promise<void>;
}

/** One state of one image, as part of a chain. */
export interface Layer {
  readonly image: Image;
  readonly state: ImageState;
  /** Bytes of the disk in this state. */
  readonly size: number;
  /** How to find the image that this state is built on. Set for a differencing image only. */
  readonly parent?: ParentReference;
  /**
   * The id of the state of the same image that this state is built on, as in a Parallels bundle, whose snapshots are
   * files of one image. A layer has `parent` or `parentState`, or neither.
   */
  readonly parentState?: string;
  /** For `info`: "dynamic", "fixed", "differencing", "undo". */
  readonly variant: string;
  /** Sentences about what is unusual or damaged but does not prevent reading. */
  readonly warnings: readonly string[];
  /** Further facts for `vdisk info --verbose`, by name. */
  readonly details: Readonly<Record<string, unknown>>;
  /** What the bytes `[offset, offset + length)` of the disk are in this layer; the rules are those of `BlockSource.map`. */
  map(offset: number, length: number): Promise<LayerExtent[]>;
  /** Changes of its bytes or of its mapping, as ranges of the disk; undefined if it never changes. */
  readonly changes?: Changes<ByteRange> | undefined;
}

/** The beginning and the end of a file, where formats have their signatures. */
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
  /** Returns whether a file has this format's signature. Damage behind it is for `open` to report. */
  probe(edges: Edges): boolean;
  /**
   * Opens the image whose first file is `file`. Other files that the image names are opened through `gate`. `Image.close`
   * closes all of them. On an error, `open` closes the other files, and the caller closes `file`.
   * @throws {DiskError} if the image is damaged, or needs something that vdisk does not read.
   */
  open(file: Storage, gate: Gate): Promise<Image>;
}

/**
 * What every file system driver provides: nodes by number, the guest's own attributes, contents as mapped sources.
 * Names, link targets and attribute values are bytes.
 */
import type { Changes } from "../bytes/changes.js";
import type { BlockSource } from "../extent/extent.js";
import type { StopSignal } from "../extent/time-slice.js";
import type { Attributes } from "./attributes.js";
import type { DirectoryPage, PageOptions } from "./page.js";

export type { Attributes, FileFlags, NodeType } from "./attributes.js";

/** A node within one file system: its inode number, if the format has them. Unique, stable, from 1 to 2^40 - 1. */
export type NodeId = number;

/** All node numbers are lower. A file system may state a lower limit: `FileSystem.nodeLimit`. */
export const NODE_ID_LIMIT = 2 ** 40;

/** What statvfs(3) would say. Counts of blocks are in units of `blockSize` bytes. */
export interface Usage {
  readonly blockSize: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  /** Free for users other than root. */
  readonly availableBlocks: number;
  readonly files: number;
  readonly freeFiles: number;
  /** Bytes. */
  readonly maximumNameLength: number;
}

/** What `info` prints of a file system. */
export interface FileSystemFacts {
  /** "ext4", "ntfs", "fat32". */
  readonly type: string;
  readonly label?: string;
  readonly uuid?: string;
  /** The path at which the guest mounted it last, if the file system records that. */
  readonly lastMounted?: string;
  /** What the user should know about its state: "journal not replayed: …". Each is also logged once. */
  readonly warnings: readonly string[];
  /** Further facts for `info --verbose`, by name. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Nodes that have changed. */
export type NodeChange =
  /** Bytes of a file. Its size is the same. */
  | { readonly kind: "contents"; readonly id: NodeId; readonly offset: number; readonly length: number }
  /** Any of the nodes `[start, end)`, which are those below the entry `name` of directory `parent`. */
  | {
      readonly kind: "subtree";
      readonly parent: NodeId;
      readonly name: Buffer;
      readonly start: NodeId;
      readonly end: NodeId;
    };

/**
 * A tree of nodes, read-only: a guest's file system, or the one tree that is composed of several. All methods may be called
 * concurrently and in any order. They throw a DiskError if the volume is damaged or has features that are not read; they
 * return `undefined` for what does not exist.
 */
export interface NodeTree {
  readonly root: NodeId;
  attributes(id: NodeId): Promise<Attributes>;
  /** The entry `name` of directory `id`. "." and ".." are not looked up. @throws {Interrupted} once `signal` is aborted. */
  lookup(id: NodeId, name: Buffer, signal?: StopSignal): Promise<NodeId | undefined>;
  /**
   * Some of the entries of directory `id` after `cookie` (0: from the start), in the directory's own order, without "."
   * and "..". A large directory has many pages, each of a bounded size: the cookie of a page's last entry leads to the next.
   * @throws {Interrupted} once `options.signal` is aborted.
   */
  page(id: NodeId, cookie: number, options?: PageOptions): Promise<DirectoryPage>;
  /**
   * Whether it takes much to enter directory `id`, so that read-ahead must not do so. A tree without this has no such
   * directories.
   */
  isCostly?(id: NodeId): boolean;
  /** The target of symbolic link `id`. */
  readLink(id: NodeId): Promise<Buffer>;
  /** The contents of regular file `id`. */
  open(id: NodeId): Promise<BlockSource>;
  /**
   * Extended attributes by full name ("user.mime_type"), as the guest's kernel would present them to root. A name
   * is bytes, one a character (Buffer's "latin1"): it need not be text.
   */
  extendedAttributes(id: NodeId): Promise<ReadonlyMap<string, Buffer>>;
  /**
   * One extended attribute, which need not be among those that `extendedAttributes` lists. A tree without this has only
   * those.
   */
  extendedAttribute?(id: NodeId, name: string): Promise<Buffer | undefined>;
  /**
   * The inode number of the directory that contains directory `id`, which its ".." shows; a root is its own parent.
   * Undefined if it takes a read to find that out. It is called after the start of the directory was listed.
   */
  parentInode?(id: NodeId): number | undefined;
  /** Of the file system that `id` lies in. */
  usage(id: NodeId): Promise<Usage>;
  /** Changes of its nodes; undefined if they never change. */
  readonly changes?: Changes<NodeChange> | undefined;
}

/** A guest's file system. */
export interface FileSystem extends NodeTree {
  readonly facts: FileSystemFacts;
  /** All node numbers are lower, whatever the volume contains. With a low limit, more file systems fit into one tree. */
  readonly nodeLimit?: number;
}

/** How the user wants guests' file systems to be read. Each driver uses some of the options. */
export interface FileSystemOptions {
  /** Names are found whatever their case, if the file system defines case (NTFS, by its own table). */
  readonly ignoreCase?: boolean;
  /** The file system's own files are listed, too (NTFS: $MFT, $LogFile and so on). */
  readonly systemFiles?: boolean;
  /** The code page of FAT's short names: "437", which is the default, "850" or "cp850" and so on. */
  readonly codePage?: string;
  /** The guest's time zone, if times are stored in local time (FAT, exFAT): an IANA zone or "+02:00"; UTC by default. */
  readonly timeZone?: string;
}

/** A file system driver: one array lists them all, in probe order. */
export interface FileSystemDriver {
  readonly name: string;
  /**
   * The file system on `volume`, or `undefined` if there is none of this kind.
   * @throws {DiskError} if there is one, but it is damaged beyond use or has features that we do not read.
   */
  open(volume: BlockSource, options?: FileSystemOptions): Promise<FileSystem | undefined>;
}

/** The extended attribute `name` of node `id`, listed or not. */
export async function extendedAttribute(
  tree: NodeTree,
  id: NodeId,
  name: string,
): Promise<Buffer | undefined> {
  if (tree.extendedAttribute !== undefined) return tree.extendedAttribute(id, name);
  return (await tree.extendedAttributes(id)).get(name);
}

/** The attributes of a node, as stat(2) would show them under the guest's own kernel. */
import type { Clock, Timestamp } from "../bytes/time.js";

export type NodeType = "file" | "directory" | "symlink" | "fifo" | "socket" | "block" | "character";

/** The attributes that stat(2) returns under the guest's own kernel. */
export interface Attributes {
  readonly type: NodeType;
  /** The inode number to show. */
  readonly inode: number;
  /** Permission bits with set-uid, set-gid and sticky: 12 bits. */
  readonly permissions: number;
  readonly linkCount: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** Units of 512 bytes that are allocated, whatever the block size: `st_blocks`. */
  readonly allocatedSectors: number;
  /** Bytes: `st_blksize`. */
  readonly blockSize: number;
  /** Of a device node. */
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
  readonly accessed: Timestamp;
  readonly modified: Timestamp;
  readonly changed: Timestamp;
  readonly created?: Timestamp | undefined;
  /** The flags that statx(2) and lsattr(1) show; absent if none is set. */
  readonly flags?: FileFlags | undefined;
}

/**
 * The flags of a file that Linux shows for every file system, as the bits that FS_IOC_GETFLAGS returns (FS_*_FL in
 * include/uapi/linux/fs.h): immutable, append-only, no-dump and so on.
 */
export type FileFlags = number;

/** Types of nodes as numbers, those of `struct dirent` (readdir(3)): four bits of `st_mode`. */
export const TYPE_CODES: Readonly<Record<NodeType, number>> = {
  fifo: 1,
  character: 2,
  directory: 4,
  block: 6,
  file: 8,
  symlink: 10,
  socket: 12,
};

/** The number of an unknown type. */
export const UNKNOWN_TYPE = 0;

const TYPES: readonly (NodeType | undefined)[] = Array.from({ length: 16 }, (_, code) =>
  (Object.keys(TYPE_CODES) as NodeType[]).find((type) => TYPE_CODES[type] === code),
);

/** The type with the number `code`; undefined if there is none, as for UNKNOWN_TYPE. */
export function typeOf(code: number): NodeType | undefined {
  return TYPES[code];
}

type Time = "accessed" | "modified" | "changed" | "created";

/** Attributes that can be set to those of one node after another. */
export type MutableAttributes = {
  -readonly [Field in Exclude<keyof Attributes, Time>]: Attributes[Field];
} & {
  readonly accessed: Clock;
  readonly modified: Clock;
  readonly changed: Clock;
  created: Clock | undefined;
};

const clock = (): Clock => ({ seconds: 0, nanoseconds: 0 });

/** Attributes that are not set yet. All fields are present, so that all of these objects have the same shape in V8. */
export function blankAttributes(): MutableAttributes {
  return {
    type: "file",
    inode: 0,
    permissions: 0,
    linkCount: 0,
    uid: 0,
    gid: 0,
    size: 0,
    allocatedSectors: 0,
    blockSize: 0,
    device: undefined,
    accessed: clock(),
    modified: clock(),
    changed: clock(),
    created: undefined,
    flags: undefined,
  };
}

/** Copies `from` to `into`. */
export function setAttributes(into: MutableAttributes, from: Attributes): void {
  const { accessed, modified, changed, created, ...rest } = from;
  Object.assign(into, { device: undefined, flags: undefined }, rest);
  Object.assign(into.accessed, accessed);
  Object.assign(into.modified, modified);
  Object.assign(into.changed, changed);
  into.created = created && { ...created };
}

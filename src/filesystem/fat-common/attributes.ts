/** What stat(2) would say under Linux with its default options, and an owner who may do what the guest's could. */
import { EPOCH, type Timestamp } from "../../bytes/time.js";
import type { Attributes } from "../filesystem.js";
import type { Heap } from "./heap.js";
import type { ClusterNode } from "./node.js";

export interface Times {
  readonly accessed: Timestamp;
  readonly modified: Timestamp;
  readonly created?: Timestamp;
}

/** Of the root, which has none. */
const NO_TIMES: Times = { accessed: EPOCH, modified: EPOCH };

/** Source: Microsoft FAT specification (2005), section 6, DIR_Attr. */
const READ_ONLY = 0x01;

/** The attributes of `node`, which has `size` bytes. */
export function attributesOf(heap: Heap, node: ClusterNode, size: number, times = NO_TIMES): Attributes {
  const isReadOnly = ((node.dosAttributes ?? 0) & READ_ONLY) !== 0;
  return {
    type: node.isDirectory ? "directory" : "file",
    inode: node.id,
    // On a directory the attribute means that Windows' Explorer shows it in a way of its own.
    permissions: node.isDirectory ? 0o755 : isReadOnly ? 0o444 : 0o644,
    // Directories would have to be read to count theirs; 1 is how others say that they are not counted.
    linkCount: 1,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    size,
    allocatedSectors: (Math.ceil(size / heap.clusterSize) * heap.clusterSize) / 512,
    blockSize: heap.clusterSize,
    ...times,
    changed: times.modified,
  };
}

/** The attributes that Linux shows with its default mount options; every file belongs to the user who runs vdisk. */
import { EPOCH, type Timestamp } from "../../bytes/time.js";
import type { Attributes } from "../filesystem.js";
import type { Heap } from "./heap.js";
import type { ClusterNode } from "./node.js";

export interface Times {
  readonly accessed: Timestamp;
  readonly modified: Timestamp;
  readonly created?: Timestamp;
}

/** The root has no entry, so it has no times. */
const NO_TIMES: Times = { accessed: EPOCH, modified: EPOCH };

/** Source: Microsoft FAT specification (2005), section 6, DIR_Attr. */
const READ_ONLY = 0x01;

/** The attributes of `node`, which has `size` bytes. */
export function attributesOf(heap: Heap, node: ClusterNode, size: number, times = NO_TIMES): Attributes {
  const isReadOnly = ((node.dosAttributes ?? 0) & READ_ONLY) !== 0;
  return {
    type: node.isDirectory ? "directory" : "file",
    inode: node.id,
    // On a directory, the attribute only tells Windows' Explorer to show it differently.
    permissions: node.isDirectory ? 0o755 : isReadOnly ? 0o444 : 0o644,
    // A directory's links could only be counted by reading it; 1 means that they are not counted.
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

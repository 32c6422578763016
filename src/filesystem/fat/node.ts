/** Files and directories by number: the place of a node's entry in the volume, in slots. */
import { EPOCH, type Timestamp } from "../../bytes/time.js";
import { CorruptError } from "../../errors.js";
import { SLOT_SIZE } from "../clusters/directory.js";
import { dosTime } from "../clusters/time.js";
import { ROOT_ID, type ClusterNode } from "../clusters/node.js";
import type { Attributes, NodeId } from "../filesystem.js";
import { Attribute, EntryRecord, slotKind } from "./entry.js";
import type { Medium } from "./medium.js";

export interface Node extends ClusterNode {
  /** Absent of the root. */
  readonly record?: EntryRecord;
}

/**
 * Node `id`.
 * @throws {CorruptError} where there is no entry of a file or a directory: the number is not from this volume.
 */
export async function readNode(medium: Medium, id: NodeId): Promise<Node> {
  const { heap, boot } = medium;
  if (id === ROOT_ID) {
    const { root } = boot.geometry;
    const firstCluster = "cluster" in root ? root.cluster : 0;
    const common = { id, of: "root directory", isDirectory: true, isContiguous: false };
    return { ...common, firstCluster, size: undefined, validSize: 0, entryOffset: boot.offset };
  }
  const entryOffset = id * SLOT_SIZE;
  const bytes = Buffer.from(await heap.metadata.read(entryOffset, SLOT_SIZE));
  if (slotKind(bytes, 0) !== "file") {
    const thing = "a directory entry that was listed";
    throw new CorruptError({ file: heap.volume.name, offset: entryOffset, thing, found: "no file any more" });
  }
  const record = EntryRecord.view(bytes);
  const isDirectory = (record.attributes & Attribute.directory) !== 0;
  // Elsewhere the upper half is not a cluster's: OS/2 kept a number of its own there.
  const high = boot.geometry.width === 32 ? record.firstClusterHigh & 0x0fff : 0;
  return {
    id,
    of: `${isDirectory ? "directory" : "file"} at 0x${entryOffset.toString(16)}`,
    isDirectory,
    firstCluster: high * 2 ** 16 + record.firstClusterLow,
    isContiguous: false,
    size: isDirectory ? undefined : record.size,
    validSize: record.size,
    entryOffset,
    dosAttributes: record.attributes,
    record,
  };
}

/** What stat(2) would say under Linux with its default options, and an owner who may do what the guest's could. */
export function attributesOf({ heap, zone }: Medium, node: Node, size: number): Attributes {
  const { record, isDirectory } = node;
  const clusters = Math.ceil(size / heap.clusterSize);
  const isReadOnly = record !== undefined && (record.attributes & Attribute.readOnly) !== 0;
  const time = (date: number, ofDay: number, tens: number): Timestamp =>
    dosTime(date, ofDay, tens, zone.toUtc);
  const modified = record === undefined ? EPOCH : time(record.writtenDate, record.writtenTime, 0);
  return {
    type: isDirectory ? "directory" : "file",
    inode: node.id,
    // On a directory the attribute means that Windows' Explorer shows it in a way of its own.
    permissions: isDirectory ? 0o755 : isReadOnly ? 0o444 : 0o644,
    linkCount: 1,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    size,
    allocatedSectors: (clusters * heap.clusterSize) / 512,
    blockSize: heap.clusterSize,
    accessed: record === undefined ? EPOCH : time(record.accessedDate, 0, 0),
    modified,
    changed: modified,
    ...(record !== undefined &&
      record.createdDate !== 0 && {
        created: time(record.createdDate, record.createdTime, record.createdTens),
      }),
  };
}

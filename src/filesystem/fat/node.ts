/** Files and directories by number: the position of the entry on the volume, in slots. */
import { CorruptError } from "../../errors.js";
import type { Times } from "../fat-common/attributes.js";
import { SLOT_SIZE } from "../fat-common/directory.js";
import { dosTime } from "../fat-common/time.js";
import { ROOT_ID, type ClusterNode } from "../fat-common/node.js";
import type { NodeId } from "../filesystem.js";
import type { Geometry } from "./boot.js";
import { Attribute, EntryRecord, slotKind } from "./entry.js";
import type { Medium } from "./medium.js";

export interface Node extends ClusterNode {
  /** Undefined for the root. */
  readonly record?: EntryRecord;
}

/**
 * Node `id`.
 * @throws {CorruptError} if the slot is not that of a file or a directory: the number is not from this volume.
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
    throw new CorruptError({ file: heap.volume.name, offset: entryOffset, thing, found: "not a file" });
  }
  const record = EntryRecord.view(bytes);
  const isDirectory = (record.attributes & Attribute.directory) !== 0;
  return {
    id,
    of: `${isDirectory ? "directory" : "file"} at 0x${entryOffset.toString(16)}`,
    isDirectory,
    firstCluster: firstClusterOf(boot.geometry, record),
    isContiguous: false,
    size: isDirectory ? undefined : record.size,
    validSize: record.size,
    entryOffset,
    dosAttributes: record.attributes,
    record,
  };
}

/** The first cluster in `record`: 0 if the file has none. */
export function firstClusterOf({ width }: Geometry, record: EntryRecord): number {
  // Only FAT32 has the upper half; OS/2 stored another number there.
  const high = width === 32 ? record.firstClusterHigh & 0x0fff : 0;
  return high * 2 ** 16 + record.firstClusterLow;
}

/** Undefined for the root. */
export function timesOf({ zone }: Medium, { record }: Node): Times | undefined {
  if (record === undefined) return undefined;
  const { toUtc } = zone;
  const { createdDate, createdTime, createdTens } = record;
  return {
    accessed: dosTime(record.accessedDate, 0, 0, toUtc),
    modified: dosTime(record.writtenDate, record.writtenTime, 0, toUtc),
    ...(createdDate !== 0 && { created: dosTime(createdDate, createdTime, createdTens, toUtc) }),
  };
}

/** Files and directories by number: the position of the entry set on the volume, in slots. */
import type { Timestamp } from "../../bytes/time.js";
import { CorruptError } from "../../errors.js";
import type { Times } from "../fat-common/attributes.js";
import { SLOT_SIZE } from "../fat-common/directory.js";
import { clusterOffset, FIRST_CLUSTER, holds } from "../fat-common/heap.js";
import { PAGE_CLUSTERS } from "../fat-common/table.js";
import { dosTime } from "../fat-common/time.js";
import { ROOT_ID, type ClusterNode } from "../fat-common/node.js";
import type { NodeId } from "../filesystem.js";
import { Attribute, EntryType, NO_FAT_CHAIN, StreamRecord, type FileRecord } from "./entry.js";
import { entrySet, slotCount, type EntrySet } from "./entryset.js";
import type { Medium } from "./medium.js";

export interface Node extends ClusterNode {
  /** Undefined for the root. */
  readonly file?: FileRecord;
}

/**
 * Node `id`.
 * @throws {CorruptError} if there is no sound entry set: it is damaged, or the number is not from this volume.
 */
export async function readNode(medium: Medium, id: NodeId): Promise<Node> {
  const { boot } = medium;
  if (id === ROOT_ID) {
    const common = { id, of: "root directory", isDirectory: true, isContiguous: false, entryOffset: 0 };
    return { ...common, firstCluster: boot.rootCluster, size: undefined, validSize: 0 };
  }
  const entryOffset = id * SLOT_SIZE;
  const { file, stream } = await setAt(medium, entryOffset);
  const isDirectory = (file.attributes & Attribute.directory) !== 0;
  checkSizes(medium, stream, entryOffset + SLOT_SIZE);
  return {
    id,
    of: `${isDirectory ? "directory" : "file"} at 0x${entryOffset.toString(16)}`,
    isDirectory,
    firstCluster: stream.firstCluster,
    isContiguous: (stream.flags & NO_FAT_CHAIN) !== 0,
    size: stream.size,
    validSize: stream.validSize,
    entryOffset,
    dosAttributes: file.attributes & 0xff,
    file,
  };
}

/** Source: Microsoft exFAT specification (2019), sections 7.6.5 and 7.6.7. */
function checkSizes({ heap }: Medium, { size, validSize }: StreamRecord, offset: number): void {
  const check = (field: "size" | "validSize", thing: string, limit: number, of: string): void => {
    const found = { size, validSize }[field];
    if (found <= limit) return;
    const at = offset + StreamRecord.fields[field].offset;
    throw new CorruptError({
      file: heap.volume.name,
      offset: at,
      thing,
      found,
      expected: `at most ${limit}, ${of}`,
    });
  };
  check("size", "the length of a file", heap.clusterCount * heap.clusterSize, "all clusters together");
  check("validSize", "the valid length of a file", size, "its length");
}

/**
 * The entry set that begins at byte `offset` of the volume. If it crosses the end of its cluster, only the
 * directory knows whether the rest is in the linked cluster or in the next one: the set's checksum decides.
 */
async function setAt({ heap }: Medium, offset: number): Promise<EntrySet> {
  const { clusterSize, metadata, volume } = heap;
  const cluster = FIRST_CLUSTER + Math.floor((offset - heap.offset) / clusterSize);
  const fail = (complaint: { thing: string; found?: number; expected?: string }): CorruptError =>
    new CorruptError({ file: volume.name, offset, ...complaint });
  if (!holds(heap, cluster)) throw fail({ thing: "the place of a directory entry that was listed" });
  const first = Buffer.from(await metadata.read(offset, SLOT_SIZE));
  if (first[0] !== EntryType.file) {
    throw fail({ thing: "the type of a directory entry", found: first[0]!, expected: `${EntryType.file}` });
  }
  const length = slotCount(first, 0) * SLOT_SIZE;
  const there = Math.min(length, clusterOffset(heap, cluster) + clusterSize - offset);
  const head = Buffer.from(await metadata.read(offset, there));
  let complaint: { thing: string; found?: number; expected?: string } = {
    thing: "the end of a directory entry",
  };
  if (there === length) {
    const set = entrySet(head);
    if (!("thing" in set)) return set;
    complaint = set;
  } else {
    const links = await heap.table.load(Math.floor(cluster / PAGE_CLUSTERS));
    for (const next of [links[cluster % PAGE_CLUSTERS]!, cluster + 1]) {
      if (!holds(heap, next)) continue;
      const tail = await metadata.read(clusterOffset(heap, next), length - there);
      const set = entrySet(Buffer.concat([head, tail]));
      if (!("thing" in set)) return set;
      complaint = set;
    }
  }
  throw fail(complaint);
}

/** Undefined for the root. */
export function timesOf({ zone }: Medium, { file }: Node): Times | undefined {
  if (file === undefined) return undefined;
  const time = (date: number, ofDay: number, tens: number, offset: number): Timestamp =>
    dosTime(date, ofDay, tens, (local) => {
      const ahead = secondsAhead(offset);
      return ahead === undefined ? zone.toUtc(local) : local - ahead;
    });
  return {
    accessed: time(file.accessedDate, file.accessedTime, 0, file.accessedZone),
    modified: time(file.modifiedDate, file.modifiedTime, file.modifiedTens, file.modifiedZone),
    created: time(file.createdDate, file.createdTime, file.createdTens, file.createdZone),
  };
}

/** Seconds ahead of UTC; undefined if the offset is not valid. Source: Microsoft exFAT specification (2019), section 7.4.10. */
function secondsAhead(utcOffset: number): number | undefined {
  if ((utcOffset & OFFSET_VALID) === 0) return undefined;
  const signed = (utcOffset & 0x7f) - ((utcOffset & 0x40) << 1);
  return signed * 15 * 60;
}

const OFFSET_VALID = 0x80;

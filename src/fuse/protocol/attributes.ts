/** Attributes on the wire: `fuse_attr`, and the replies that carry it. */
import type { Timestamp } from "../../bytes/time.js";
import type { Attributes, NodeId, NodeType, Usage } from "../../filesystem/filesystem.js";
import { body, reply, writeI64le } from "./reply.js";

/** Seconds that the kernel may keep names and attributes, and that a name is missing: the tree never changes. */
const VALID_SECONDS = 2 ** 31 - 1;

/** Bytes of `fuse_entry_out`, with its `fuse_attr` at 40. */
export const ENTRY_SIZE = 128;
const ENTRY_ATTRIBUTES = 40;

/** The `S_IFMT` bits of st_mode (inode(7)); four bits down they are `d_type`. */
const TYPE_BITS: Readonly<Record<NodeType, number>> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

/** st_mode: type and permissions. */
export function modeOf(attributes: Attributes): number {
  return TYPE_BITS[attributes.type] | attributes.permissions;
}

/** `d_type` as in `struct dirent`; 0 is "unknown". */
export function direntType(type: NodeType | undefined): number {
  return type === undefined ? 0 : TYPE_BITS[type] >>> 12;
}

/** The kernel's 32-bit device number (include/linux/kdev_t.h, new_encode_dev); 0 for what is no device. */
export function deviceNumber({ device }: Attributes): number {
  if (device === undefined) return 0;
  return ((device.minor & 0xff) | (device.major << 8) | ((device.minor & ~0xff) << 12)) >>> 0;
}

/** The reply to GETATTR. */
export function attributesReply(attributes: Attributes): Buffer {
  const out = reply(16 + 88);
  writeI64le(body(out), VALID_SECONDS, 0);
  writeAttributes(body(out), 16, attributes);
  return out;
}

/** The reply to LOOKUP. */
export function entryReply(id: NodeId, attributes: Attributes): Buffer {
  const out = reply(ENTRY_SIZE);
  writeEntry(body(out), 0, id, attributes);
  return out;
}

/** The reply to LOOKUP of what is not there: node 0, and the kernel remembers. */
export function absentReply(): Buffer {
  const out = reply(ENTRY_SIZE);
  writeI64le(body(out), VALID_SECONDS, 16);
  return out;
}

/** Writes a `fuse_entry_out`. */
export function writeEntry(bytes: Buffer, at: number, id: NodeId, attributes: Attributes): void {
  writeI64le(bytes, id, at);
  writeI64le(bytes, VALID_SECONDS, at + 16); // of the name
  writeI64le(bytes, VALID_SECONDS, at + 24); // of the attributes
  writeAttributes(bytes, at + ENTRY_ATTRIBUTES, attributes);
}

/** The reply to STATX: what GETATTR tells, and the time of creation. */
export function statxReply(attributes: Attributes): Buffer {
  const { created } = attributes;
  const out = reply(32 + 256);
  writeI64le(body(out), VALID_SECONDS, 0);
  const stat = body(out).subarray(32);
  stat.writeUInt32LE(STATX_BASIC_STATS | (created === undefined ? 0 : STATX_BTIME), 0);
  stat.writeUInt32LE(attributes.blockSize, 4);
  stat.writeUInt32LE(attributes.linkCount, 16);
  stat.writeUInt32LE(attributes.uid, 20);
  stat.writeUInt32LE(attributes.gid, 24);
  stat.writeUInt16LE(modeOf(attributes), 28);
  writeI64le(stat, attributes.inode, 32);
  writeI64le(stat, attributes.size, 40);
  writeI64le(stat, attributes.allocatedSectors, 48);
  const times = [attributes.accessed, created, attributes.changed, attributes.modified];
  times.forEach((time, index) => {
    if (time === undefined) return;
    writeI64le(stat, time.seconds, 64 + 16 * index);
    stat.writeUInt32LE(time.nanoseconds, 72 + 16 * index);
  });
  stat.writeUInt32LE(attributes.device?.major ?? 0, 128);
  stat.writeUInt32LE(attributes.device?.minor ?? 0, 132);
  return out;
}

/** include/uapi/linux/stat.h */
const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;

/** The reply to STATFS: a `fuse_kstatfs`. */
export function usageReply(usage: Usage): Buffer {
  const out = reply(80);
  const counts = [usage.blocks, usage.freeBlocks, usage.availableBlocks, usage.files, usage.freeFiles];
  counts.forEach((count, index) => {
    writeI64le(body(out), count, 8 * index);
  });
  body(out).writeUInt32LE(usage.blockSize, 40);
  body(out).writeUInt32LE(usage.maximumNameLength, 44);
  body(out).writeUInt32LE(usage.blockSize, 48); // frsize, the unit of the counts
  return out;
}

function writeAttributes(bytes: Buffer, at: number, attributes: Attributes): void {
  const { accessed, modified, changed } = attributes;
  writeI64le(bytes, attributes.inode, at);
  writeI64le(bytes, attributes.size, at + 8);
  writeI64le(bytes, attributes.allocatedSectors, at + 16);
  writeTime(bytes, accessed, at + 24, at + 48);
  writeTime(bytes, modified, at + 32, at + 52);
  writeTime(bytes, changed, at + 40, at + 56);
  bytes.writeUInt32LE(modeOf(attributes), at + 60);
  bytes.writeUInt32LE(attributes.linkCount, at + 64);
  bytes.writeUInt32LE(attributes.uid, at + 68);
  bytes.writeUInt32LE(attributes.gid, at + 72);
  bytes.writeUInt32LE(deviceNumber(attributes), at + 76);
  bytes.writeUInt32LE(attributes.blockSize, at + 80);
}

function writeTime(bytes: Buffer, time: Timestamp, secondsAt: number, nanosecondsAt: number): void {
  writeI64le(bytes, time.seconds, secondsAt);
  bytes.writeUInt32LE(time.nanoseconds, nanosecondsAt);
}

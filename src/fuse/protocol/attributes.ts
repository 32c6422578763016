/** Encodes attributes: `fuse_attr`, and the replies that contain it. */
import type { Timestamp } from "../../bytes/time.js";
import { TYPE_CODES, UNKNOWN_TYPE } from "../../filesystem/attributes.js";
import type { Attributes, NodeId, NodeType, Usage } from "../../filesystem/filesystem.js";
import { body, reply, writeI64le, writeU16le, writeU32le } from "./reply.js";

/** Seconds for which the kernel may cache names, attributes, and that a name does not exist: the tree never changes. */
const VALID_SECONDS = 2 ** 31 - 1;

/** Bytes of `fuse_entry_out`, and where its `fuse_attr` begins. */
export const ENTRY_SIZE = 128;
const ENTRY_ATTRIBUTES = 40;

/** st_mode (inode(7)): type and permissions. */
export function modeOf(attributes: Attributes): number {
  return typeBits(attributes.type) | attributes.permissions;
}

/** The `S_IFMT` bits of st_mode; 0 for a type that is not known. */
export function typeBits(type: NodeType | undefined): number {
  return (type === undefined ? UNKNOWN_TYPE : TYPE_CODES[type]) << 12;
}

/** The kernel's 32-bit device number (include/linux/kdev_t.h, new_encode_dev); 0 if the node is not a device. */
export function deviceNumber({ device }: Attributes): number {
  if (device === undefined) return 0;
  return ((device.minor & 0xff) | (device.major << 8) | ((device.minor & ~0xff) << 12)) >>> 0;
}

/** The reply to GETATTR. */
export function attributesReply(attributes: Attributes): Buffer {
  const out = reply(16 + 88);
  const words = body(out);
  writeI64le(words, VALID_SECONDS, 0);
  writeAttributes(words, 16, attributes);
  return out;
}

/** The reply to LOOKUP. */
export function entryReply(id: NodeId, attributes: Attributes): Buffer {
  const out = reply(ENTRY_SIZE);
  writeEntry(body(out), 0, id, attributes);
  return out;
}

/** The reply to LOOKUP if the name does not exist: node 0, which the kernel caches. */
export function absentReply(): Buffer {
  const out = reply(ENTRY_SIZE);
  writeI64le(body(out), VALID_SECONDS, 16);
  return out;
}

/** Writes a `fuse_entry_out`. */
export function writeEntry(out: DataView, at: number, id: NodeId, attributes: Attributes): void {
  writeI64le(out, id, at);
  writeI64le(out, VALID_SECONDS, at + 16); // of the name
  writeI64le(out, VALID_SECONDS, at + 24); // of the attributes
  writeAttributes(out, at + ENTRY_ATTRIBUTES, attributes);
}

/** The reply to STATX: the attributes of GETATTR, the time of creation and file flags. */
export function statxReply(attributes: Attributes): Buffer {
  const { created } = attributes;
  const out = reply(32 + 256);
  writeI64le(body(out), VALID_SECONDS, 0);
  const stat = new DataView(out.buffer, body(out).byteOffset + 32);
  writeU32le(stat, STATX_BASIC_STATS | (created === undefined ? 0 : STATX_BTIME), 0);
  writeU32le(stat, attributes.blockSize, 4);
  writeU32le(stat, (attributes.flags ?? 0) & STATX_FLAGS, 8);
  writeU32le(stat, attributes.flags === undefined ? 0 : STATX_FLAGS, 56);
  writeU32le(stat, attributes.linkCount, 16);
  writeU32le(stat, attributes.uid, 20);
  writeU32le(stat, attributes.gid, 24);
  writeU16le(stat, modeOf(attributes), 28);
  writeI64le(stat, attributes.inode, 32);
  writeI64le(stat, attributes.size, 40);
  writeI64le(stat, attributes.allocatedSectors, 48);
  const times = [attributes.accessed, created, attributes.changed, attributes.modified];
  times.forEach((time, index) => {
    if (time === undefined) return;
    writeI64le(stat, time.seconds, 64 + 16 * index);
    writeU32le(stat, time.nanoseconds, 72 + 16 * index);
  });
  writeU32le(stat, attributes.device?.major ?? 0, 128);
  writeU32le(stat, attributes.device?.minor ?? 0, 132);
  return out;
}

/**
 * The flags that statx(2) knows, each the same bit as in FileFlags: compressed, immutable, append-only, no-dump,
 * encrypted, verity. Linux 6.18 does not pass them on to programs (fs/fuse/dir.c, fuse_do_statx).
 */
const STATX_FLAGS = 0x100874;

/** include/uapi/linux/stat.h */
const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;

/** The reply to STATFS: a `fuse_kstatfs`. */
export function usageReply(usage: Usage): Buffer {
  const out = reply(80);
  const counts = [usage.blocks, usage.freeBlocks, usage.availableBlocks, usage.files, usage.freeFiles];
  const words = body(out);
  counts.forEach((count, index) => {
    writeI64le(words, count, 8 * index);
  });
  writeU32le(words, usage.blockSize, 40);
  writeU32le(words, usage.maximumNameLength, 44);
  writeU32le(words, usage.blockSize, 48); // frsize, the unit of the counts
  return out;
}

function writeAttributes(out: DataView, at: number, attributes: Attributes): void {
  const { accessed, modified, changed } = attributes;
  writeI64le(out, attributes.inode, at);
  writeI64le(out, attributes.size, at + 8);
  writeI64le(out, attributes.allocatedSectors, at + 16);
  writeTime(out, accessed, at + 24, at + 48);
  writeTime(out, modified, at + 32, at + 52);
  writeTime(out, changed, at + 40, at + 56);
  writeU32le(out, modeOf(attributes), at + 60);
  writeU32le(out, attributes.linkCount, at + 64);
  writeU32le(out, attributes.uid, at + 68);
  writeU32le(out, attributes.gid, at + 72);
  writeU32le(out, deviceNumber(attributes), at + 76);
  writeU32le(out, attributes.blockSize, at + 80);
}

function writeTime(out: DataView, time: Timestamp, secondsAt: number, nanosecondsAt: number): void {
  writeI64le(out, time.seconds, secondsAt);
  writeU32le(out, time.nanoseconds, nanosecondsAt);
}

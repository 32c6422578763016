/**
 * Decodes requests. All structures of this folder are from Linux include/uapi/linux/fuse.h (protocol 7.39), in the byte
 * order of the machine: little-endian wherever vdisk runs.
 */
import { span, struct, u32le, u64le, type ViewOf } from "../../bytes/struct.js";

/** Requests that reach TypeScript. The addon's threads answer the others, such as FORGET and RELEASE. */
export const Opcode = {
  lookup: 1,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  setxattr: 21,
  getxattr: 22,
  listxattr: 23,
  removexattr: 24,
  init: 26,
  opendir: 27,
  readdir: 28,
  create: 35,
  interrupt: 36,
  destroy: 38,
  ioctl: 39,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
  lseek: 46,
  copyFileRange: 47,
  tmpfile: 51,
  statx: 52,
} as const;

/** `fuse_in_header`, at the start of every request. */
export const RequestHeader = struct("fuse_in_header", 40, {
  length: u32le(0),
  opcode: u32le(4),
  unique: span(8, 8),
  nodeId: u64le(16),
  uid: u32le(24),
});
export type RequestHeader = ViewOf<typeof RequestHeader>;

/** `fuse_init_in`; old kernels send only these four words. */
export const InitIn = struct("fuse_init_in", 16, {
  major: u32le(0),
  minor: u32le(4),
  maxReadahead: u32le(8),
  flags: u32le(12),
});
export type InitIn = ViewOf<typeof InitIn>;

/** `fuse_open_in`, for OPEN. `flags` are those of open(2). */
export const OpenIn = struct("fuse_open_in", 8, { flags: u32le(0) });

/** `fuse_read_in`, for READ, READDIR and READDIRPLUS. */
export const ReadIn = struct("fuse_read_in", 40, { handle: u64le(0), offset: u64le(8), size: u32le(16) });

/** `fuse_ioctl_in`. */
export const IoctlIn = struct("fuse_ioctl_in", 32, { command: u32le(12) });

/** `fuse_lseek_in`. `whence` is SEEK_DATA (3) or SEEK_HOLE (4); the kernel handles all others. */
export const LseekIn = struct("fuse_lseek_in", 24, { offset: u64le(8), whence: u32le(16) });

/** `fuse_interrupt_in`: the number of the interrupted request. */
export const InterruptIn = struct("fuse_interrupt_in", 8, { unique: span(0, 8) });

/** `fuse_getxattr_in`, for GETXATTR (the name follows) and LISTXATTR. Size 0 requests the size of the value. */
export const GetxattrIn = struct("fuse_getxattr_in", 8, { size: u32le(0) });

/** Copies the NUL-terminated name at `at` of a request's body. */
export function nameAt(body: Buffer, at: number): Buffer {
  const end = body.indexOf(0, at);
  return Buffer.from(body.subarray(at, end < 0 ? body.length : end));
}

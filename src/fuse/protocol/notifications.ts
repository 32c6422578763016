/**
 * Notifications: messages to the kernel that answer no request, and tell it to drop what it has cached. Source:
 * include/uapi/linux/fuse.h, fuse_notify_code; fs/fuse/dev.c, fuse_notify.
 */
import { body, reply, seal, writeI64le, writeU32le } from "./reply.js";

/** Notifications have the number of no request, and their code in place of an errno. */
const NO_REQUEST = Buffer.alloc(8);
const INVAL_INODE = 2;
const INVAL_ENTRY = 3;

/** Bytes of `fuse_notify_inval_inode_out` and of `fuse_notify_inval_entry_out`. */
const INODE_SIZE = 24;
const ENTRY_SIZE = 16;

/** Drops the attributes of `node`, and the cached pages of `[offset, offset + length)`; with length 0 all from `offset` on. */
export function inodeChanged(node: number, offset = 0, length = 0): Buffer {
  const out = reply(INODE_SIZE);
  const words = body(out);
  writeI64le(words, node, 0);
  writeI64le(words, offset, 8);
  writeI64le(words, length, 16);
  return notification(out, INVAL_INODE);
}

/** Drops the entry `name` of directory `parent`, and all below it that no program has open. */
export function entryChanged(parent: number, name: Buffer): Buffer {
  const out = reply(ENTRY_SIZE + name.length + 1); // with a NUL
  const words = body(out);
  writeI64le(words, parent, 0);
  writeU32le(words, name.length, 8);
  out.set(name, out.length - name.length - 1);
  return notification(out, INVAL_ENTRY);
}

function notification(out: Buffer, code: number): Buffer {
  return seal(out, NO_REQUEST, -code);
}

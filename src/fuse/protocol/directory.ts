/** Directory entries on the wire: `fuse_dirent`, and `fuse_direntplus`, which has a `fuse_entry_out` in front. */
import type { Attributes, DirectoryEntry } from "../../filesystem/filesystem.js";
import { direntType, ENTRY_SIZE, writeEntry } from "./attributes.js";
import { writeI64le } from "./reply.js";

/** Where to go on after "." and "..": numbers that no tree's cookie is. */
export const AFTER_DOT = 2 ** 53;
export const AFTER_DOT_DOT = 2 ** 54;

/** The inode number that libfuse shows where it knows none (FUSE_UNKNOWN_INO). */
export const UNKNOWN_INODE = 0xffffffff;

const DIRENT_SIZE = 24;

/** Bytes that an entry takes: whole words of eight. */
export function direntSize(name: Buffer, plus: boolean): number {
  return (plus ? ENTRY_SIZE : 0) + Math.ceil((DIRENT_SIZE + name.length) / 8) * 8;
}

/**
 * Writes one entry into zeroed `bytes` and gives where the next one goes. Without attributes (they cannot be
 * read, or it is "." or "..") the kernel learns the name only, and asks when they are wanted.
 */
export function writeDirent(
  bytes: Buffer,
  at: number,
  entry: DirectoryEntry,
  attributes: Attributes | undefined,
  plus: boolean,
): number {
  if (plus && attributes !== undefined) writeEntry(bytes, at, entry.id, attributes);
  const dirent = plus ? at + ENTRY_SIZE : at;
  writeI64le(bytes, attributes?.inode ?? UNKNOWN_INODE, dirent);
  writeI64le(bytes, entry.cookie, dirent + 8);
  bytes.writeUInt32LE(entry.name.length, dirent + 16);
  bytes.writeUInt32LE(direntType(attributes?.type ?? entry.type), dirent + 20);
  bytes.set(entry.name, dirent + DIRENT_SIZE);
  return at + direntSize(entry.name, plus);
}

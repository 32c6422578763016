/** Encodes directory entries: `fuse_dirent`, and `fuse_direntplus`, which begins with a `fuse_entry_out`. */
import type { Attributes, EntryView, NodeId } from "../../filesystem/filesystem.js";
import { direntType, ENTRY_SIZE, writeEntry } from "./attributes.js";
import { body, HEADER_SIZE, writeI64le, writeU32le } from "./reply.js";

/** The cookies of "." and "..": numbers that are not cookies of any tree. */
export const AFTER_DOT = 2 ** 53;
export const AFTER_DOT_DOT = 2 ** 54;

/** The inode number of an entry whose inode number is not known, as in libfuse (FUSE_UNKNOWN_INO). */
export const UNKNOWN_INODE = 0xffffffff;

const DIRENT_SIZE = 24;

/** Bytes of an entry: a multiple of eight. */
export function direntSize({ from, to }: EntryView, plus: boolean): number {
  return (plus ? ENTRY_SIZE : 0) + Math.ceil((DIRENT_SIZE + to - from) / 8) * 8;
}

/** The body of a reply to READDIR, filled with zeros: as bytes and as words. */
export interface PageBody {
  readonly bytes: Buffer;
  readonly words: DataView;
}

export function pageBody(reply: Buffer): PageBody {
  return { bytes: reply.subarray(HEADER_SIZE), words: body(reply) };
}

/**
 * Writes one entry at `at`, without its attributes. If they are not added (they cannot be read, or the entry is "." or
 * ".."), the kernel requests them when a program needs them.
 */
export function writeDirent({ bytes, words }: PageBody, at: number, entry: EntryView, plus: boolean): void {
  const { names, from, to, type, cookie } = entry;
  const dirent = plus ? at + ENTRY_SIZE : at;
  writeI64le(words, UNKNOWN_INODE, dirent);
  writeI64le(words, cookie, dirent + 8);
  writeU32le(words, to - from, dirent + 16);
  writeU32le(words, direntType(type), dirent + 20);
  const name = dirent + DIRENT_SIZE - from;
  for (let i = from; i < to; i++) bytes[name + i] = names[i]!; // faster than a call, for as few bytes as a name has
}

/** Adds the inode number to the entry at `at`. */
export function writeDirentInode({ words }: PageBody, at: number, inode: number, plus: boolean): void {
  writeI64le(words, inode, plus ? at + ENTRY_SIZE : at);
}

/** Adds the attributes to the entry `id` at `at`. */
export function writeDirentAttributes(
  { words }: PageBody,
  at: number,
  id: NodeId,
  attributes: Attributes,
  plus: boolean,
): void {
  if (plus) writeEntry(words, at, id, attributes);
  const dirent = plus ? at + ENTRY_SIZE : at;
  writeI64le(words, attributes.inode, dirent);
  writeU32le(words, direntType(attributes.type), dirent + 20);
}

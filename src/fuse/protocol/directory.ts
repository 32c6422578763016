/** Encodes directory entries: `fuse_dirent`, and `fuse_direntplus`, which begins with a `fuse_entry_out`. */
import { TYPE_CODES } from "../../filesystem/attributes.js";
import type { Attributes, NodeId } from "../../filesystem/filesystem.js";
import type { DirectoryPage } from "../../filesystem/page.js";
import { ENTRY_SIZE, writeEntry } from "./attributes.js";
import { body, HEADER_SIZE, writeI64le, writeU32le } from "./reply.js";

/** The cookies of "." and "..": numbers that are not cookies of any tree. */
export const AFTER_DOT = 2 ** 53;
export const AFTER_DOT_DOT = 2 ** 54;

/** The inode number of an entry whose inode number is not known, as in libfuse (FUSE_UNKNOWN_INO). */
export const UNKNOWN_INODE = 0xffffffff;

const DIRENT_SIZE = 24;

/** Bytes of an entry: a multiple of eight. */
export function direntSize(nameLength: number, plus: boolean): number {
  return (plus ? ENTRY_SIZE : 0) + Math.ceil((DIRENT_SIZE + nameLength) / 8) * 8;
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
 * Writes entry `index` of `page` at `at`, without its attributes. If they are not added (they cannot be read, or the entry
 * is "." or ".."), the kernel requests them when a program needs them.
 */
export function writeDirent(
  { bytes, words }: PageBody,
  at: number,
  { names, nameStarts, types, cookies }: DirectoryPage,
  index: number,
  plus: boolean,
): void {
  const from = nameStarts[index]!;
  const to = nameStarts[index + 1]!;
  const dirent = plus ? at + ENTRY_SIZE : at;
  writeI64le(words, UNKNOWN_INODE, dirent);
  writeI64le(words, cookies[index]!, dirent + 8);
  writeU32le(words, to - from, dirent + 16);
  writeU32le(words, types[index]!, dirent + 20);
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
  writeU32le(words, TYPE_CODES[attributes.type], dirent + 20);
}

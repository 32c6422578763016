/** Directory entries on the wire: `fuse_dirent`, and `fuse_direntplus`, which has a `fuse_entry_out` in front. */
import type { Attributes, EntryView, NodeId } from "../../filesystem/filesystem.js";
import { direntType, ENTRY_SIZE, writeEntry } from "./attributes.js";
import { body, HEADER_SIZE, writeI64le, writeU32le } from "./reply.js";

/** Where to go on after "." and "..": numbers that no tree's cookie is. */
export const AFTER_DOT = 2 ** 53;
export const AFTER_DOT_DOT = 2 ** 54;

/** The inode number that libfuse shows where it knows none (FUSE_UNKNOWN_INO). */
export const UNKNOWN_INODE = 0xffffffff;

const DIRENT_SIZE = 24;

/** Bytes that an entry takes: whole words of eight. */
export function direntSize({ from, to }: EntryView, plus: boolean): number {
  return (plus ? ENTRY_SIZE : 0) + Math.ceil((DIRENT_SIZE + to - from) / 8) * 8;
}

/** A listing that is being written: the zeroed body of a reply, as bytes and as words. */
export interface Page {
  readonly bytes: Buffer;
  readonly words: DataView;
}

export function pageOf(reply: Buffer): Page {
  return { bytes: reply.subarray(HEADER_SIZE), words: body(reply) };
}

/**
 * Writes one entry at `at`, as yet without its attributes. Where that is all (they cannot be read, or it is "." or "..")
 * the kernel learns the name only, and asks when they are wanted.
 */
export function writeDirent({ bytes, words }: Page, at: number, entry: EntryView, plus: boolean): void {
  const { names, from, to, type, cookie } = entry;
  const dirent = plus ? at + ENTRY_SIZE : at;
  writeI64le(words, UNKNOWN_INODE, dirent);
  writeI64le(words, cookie, dirent + 8);
  writeU32le(words, to - from, dirent + 16);
  writeU32le(words, direntType(type), dirent + 20);
  const name = dirent + DIRENT_SIZE - from;
  for (let i = from; i < to; i++) bytes[name + i] = names[i]!; // sooner than a call, for a name
}

/** Writes the inode number of the entry that is written at `at` already. */
export function writeDirentInode({ words }: Page, at: number, inode: number, plus: boolean): void {
  writeI64le(words, inode, plus ? at + ENTRY_SIZE : at);
}

/** Writes the attributes of entry `id`, which is written at `at` already. */
export function writeDirentAttributes(
  { words }: Page,
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

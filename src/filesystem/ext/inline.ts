/**
 * Inline data: contents that lie in the inode itself, the first 60 bytes in i_block and the rest in the value of
 * an extended attribute, "system.data". Source: Documentation/filesystems/ext4/inlinedata.rst; fs/ext4/inline.c.
 */
import { CorruptError } from "../../errors.js";
import { InodeRecord, type Inode } from "./inode.js";
import type { Medium } from "./medium.js";
import { bodyEntries, isInlineData } from "./xattr.js";

/** Bytes of i_block; what "system.data" holds follows. */
export const INLINE_HEAD_SIZE = InodeRecord.fields.block.length;

/**
 * The data within `inode`, borrowed from it; it may be longer or shorter than the file.
 * @throws {CorruptError} if the attribute that marks it is missing.
 */
export function inlineData(medium: Medium, inode: Inode): Buffer {
  const rest = bodyEntries(medium, inode).find(isInlineData)?.value;
  if (rest === undefined) {
    throw new CorruptError({
      file: medium.volume.name,
      offset: inode.offset,
      thing: `the inline data of inode ${inode.number}`,
      found: "without the attribute system.data",
      expected: "with it",
    });
  }
  return rest.length === 0 ? inode.record.block : Buffer.concat([inode.record.block, rest]);
}

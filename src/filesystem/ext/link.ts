/** The targets of symbolic links. */
import type { BlockSource } from "../../extent/extent.js";
import { read } from "../../extent/read.js";
import { blankAttributes } from "../attributes.js";
import { encryptedError } from "./encrypted.js";
import { InodeFlag, readStat, type Inode } from "./inode.js";
import { kindError } from "./inodes.js";
import type { Medium } from "./medium.js";

/** Source: linux/limits.h, PATH_MAX: no link is longer, whatever the block size. */
const LINK_LIMIT = 4096;

/**
 * The target of `inode`, a symbolic link.
 * @param contents opens the contents of an inode.
 * @throws {CorruptError} if its length is impossible or disagrees with its bytes.
 */
export async function linkTarget(
  medium: Medium,
  inode: Inode,
  contents: (inode: Inode) => Promise<BlockSource>,
): Promise<Buffer> {
  const { size } = inode;
  const isFast = isFastLink(medium, inode);
  if (size === 0 || size >= LINK_LIMIT)
    throw kindError(medium, inode, `a link to ${size} bytes`, `a link to 1 to ${LINK_LIMIT - 1} bytes`);
  if ((inode.flags & InodeFlag.encrypted) !== 0) throw encryptedError(medium, inode);
  const target = isFast ? inode.record.block.subarray(0, size) : await read(await contents(inode), 0, size);
  const end = target.indexOf(0);
  if (end === 0 || (end > 0 && isFast))
    throw kindError(medium, inode, `a link to ${end} bytes and a zero byte`, `a link to ${size} bytes`);
  return Buffer.from(end < 0 ? target : target.subarray(0, end));
}

/**
 * Whether the target lies in i_block. The flag for extents means nothing in an inode without blocks: Linux decides by
 * the blocks (fs/ext4/inode.c, ext4_inode_is_fast_symlink), debugfs by the size (lib/ext2fs/symlink.c).
 */
function isFastLink(medium: Medium, inode: Inode): boolean {
  const { flags, size, record, attributesBlock } = inode;
  if ((flags & InodeFlag.inlineData) !== 0 || size >= record.block.length) return false;
  if ((flags & InodeFlag.extents) === 0) return true;
  const { blockSize, blocksPerCluster } = medium.geometry;
  const attributeSectors = attributesBlock === 0 ? 0 : (blocksPerCluster * blockSize) / 512;
  const attributes = blankAttributes();
  readStat(medium, inode, attributes);
  return attributes.allocatedSectors === attributeSectors;
}

/**
 * ext2, ext3 and ext4: three versions of Linux's own format.
 *
 * The superblock (superblock.ts, features.ts) contains the geometry. Group descriptors (group.ts) point to the inode tables
 * (inode-table.ts, sweep.ts). An inode (inode.ts, inodes.ts) contains the attributes of a node, and maps its contents
 * (contents.ts) by a block map (blockmap.ts), an extent tree (extents.ts) or inline data (inline.ts). Directories are files of
 * entries (entry.ts, directory.ts, listing.ts, names.ts). Symbolic links: link.ts. Extended attributes: xattr.ts, acl.ts.
 * Encrypted files: encrypted.ts. Blocks of the file system's own metadata, which no file may claim: system-zone.ts.
 *
 * Specification: Documentation/filesystems/ext4/ of Linux 6.12, and fs/ext4/ for what that does not say.
 *
 * Not done: the journal is not replayed, so what is only in the journal is not shown (a warning says so); encrypted names
 * are shown encoded, and encrypted contents are an error; verity's hashes are not verified; compressed files (never in
 * a released kernel) and external journals are not read.
 */
import { DiskError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import type { FileSystem, FileSystemDriver, Usage } from "../filesystem.js";
import { contentsOf } from "./contents.js";
import { encryptedError } from "./encrypted.js";
import { factsOf } from "./facts.js";
import { InodeFlag, ROOT_INODE, type Inode } from "./inode.js";
import { inodesOf } from "./inodes.js";
import { linkTarget } from "./link.js";
import { listingOf } from "./listing.js";
import type { Medium } from "./medium.js";
import { namesOf } from "./names.js";
import { openMedium, openMediumByCopy } from "./open.js";
import { usageOf } from "./usage.js";
import { readAttributes } from "./xattr.js";

export const extDriver: FileSystemDriver = {
  name: "ext",
  async open(volume) {
    const opened = await openMedium(volume);
    return opened && fileSystemOn(opened.medium, opened.warnings);
  },
};

/** For volumes that no other driver opens: an ext whose superblock is blank or overwritten, by a copy of it. */
export const extBackupDriver: FileSystemDriver = {
  name: "ext by a copy of its superblock",
  async open(volume) {
    const opened = await openMediumByCopy(volume);
    return opened && fileSystemOn(opened.medium, opened.warnings);
  },
};

/** Inode numbers are words of 32 bits, and a damaged directory may have any. */
const INODE_LIMIT = 2 ** 32;

function fileSystemOn(medium: Medium, warnings: readonly string[]): FileSystem {
  const names = namesOf(medium);
  const inodes = inodesOf(medium);
  const listing = listingOf(medium, inodes);
  let usage: Promise<Usage> | undefined;

  async function contents(inode: Inode): Promise<BlockSource> {
    if ((inode.flags & InodeFlag.encrypted) !== 0) throw encryptedError(medium, inode);
    return contentsOf(medium, inode);
  }

  /** Bytes of the journal; 0 if there is none or its inode is damaged: the count of free blocks does not depend on it. */
  async function journalSize(): Promise<number> {
    const journal = medium.superblock.journalInode;
    if (journal === 0) return 0;
    try {
      return (await inodes.any(journal)).size;
    } catch (error) {
      if (error instanceof DiskError) return 0;
      throw error;
    }
  }

  return {
    root: ROOT_INODE,
    nodeLimit: INODE_LIMIT,
    facts: factsOf(medium, warnings),
    attributes: (id) => inodes.attributes(id),
    async lookup(id, name, signal) {
      return names.find(await inodes.ofType(id, "directory"), name, signal);
    },
    page: (id, cookie, options) => listing.page(id, cookie, options),
    parentInode: (id) => listing.parentInode(id),
    async readLink(id) {
      return linkTarget(medium, await inodes.ofType(id, "symlink"), contents);
    },
    async open(id) {
      return contents(await inodes.file(id));
    },
    async extendedAttributes(id) {
      return readAttributes(medium, await inodes.named(id), {
        inode: (number) => inodes.any(number),
        contents,
      });
    },
    async usage() {
      usage ??= journalSize()
        .then((size) => usageOf(medium, size))
        .catch((error: unknown) => {
          usage = undefined; // a failure of the host may be temporary
          throw error;
        });
      return usage;
    },
  };
}

/**
 * ext2, ext3 and ext4: Linux's own file systems, one format that grew.
 *
 * The superblock (superblock.ts, features.ts) gives the geometry; group descriptors (group.ts) say where inode
 * tables are; an inode (inode.ts) is a node's attributes and the way to its contents (contents.ts): a block map
 * (blockmap.ts), an extent tree (extents.ts) or inline data (inline.ts). Directories are files of entries
 * (entry.ts, directory.ts, names.ts). Extended attributes: xattr.ts, acl.ts. Encrypted files: encrypted.ts.
 *
 * Specification: Documentation/filesystems/ext4/ of Linux 6.12, and fs/ext4/ where that is silent.
 *
 * Not done: the journal is not replayed, so what it alone holds is not seen (a warning says so); encrypted names
 * are shown encoded and encrypted contents refused; verity's hashes are not verified; compressed files (never in
 * a released kernel) and external journals are not read.
 */
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../bytes/memory.js";
import { ownCopy } from "../../bytes/pool.js";
import { CorruptError, DiskError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { loadingCache } from "../../extent/loading.js";
import { read } from "../../extent/read.js";
import type {
  Attributes,
  DirectoryEntry,
  FileSystem,
  FileSystemDriver,
  NodeType,
  Usage,
} from "../filesystem.js";
import { contentsOf } from "./contents.js";
import { entriesOf, parentIn, partsOf, type Part } from "./directory.js";
import type { Entry } from "./entry.js";
import { encryptedError } from "./encrypted.js";
import { factsOf } from "./facts.js";
import { groupOf, inodeOffset, readGroup, type Group } from "./group.js";
import {
  attributesOf,
  checkInode,
  decodeInode,
  InodeFlag,
  InodeRecord,
  ROOT_INODE,
  type Inode,
  type SoundInode,
} from "./inode.js";
import { inlineData } from "./inline.js";
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

/** Bytes of decoded inodes that one file system keeps. */
const INODE_CACHE_BYTES = withinMemory(8 * 2 ** 20);

/** Group descriptors that it keeps. */
const GROUP_CACHE_COUNT = 2 ** 12;

/** Directories whose parents are remembered while they are being listed. */
const PARENTS_COUNT = 1000;

/** Directories whose damage is remembered while they are being listed. */
const DAMAGED_COUNT = 1000;

/** Entries that make a batch: listing stops after the blocks that reach them. */
const BATCH_SIZE = 256;

/** Source: linux/limits.h, PATH_MAX: no link is longer, whatever the block size. */
const LINK_LIMIT = 4096;

type Decode<T> = (number: number, bytes: Buffer, offset: number) => T;

function fileSystemOn(medium: Medium, warnings: readonly string[]): FileSystem {
  const names = namesOf(medium);
  const groups = loadingCache<number, Group>(
    GROUP_CACHE_COUNT,
    () => 1,
    (index) => readGroup(medium, index),
  );
  const inodes = new LRUCache<number, Inode>({
    max: Math.ceil(INODE_CACHE_BYTES / (medium.geometry.inodeSize + INODE_OVERHEAD)),
  });
  const parents = new LRUCache<number, number>({ max: PARENTS_COUNT });
  const damaged = new LRUCache<number, DiskError>({ max: DAMAGED_COUNT });
  const own = ownInodes(medium);
  let usage: Promise<Usage> | undefined;

  /** Inode `number`, whatever it is for; at once where its bytes are kept. */
  function anyInode(number: number): Inode | Promise<Inode> {
    return inodes.get(number) ?? inodeBytes(number, keepInode);
  }

  /** The same, of which nothing is kept: files are opened by the hundred thousand. */
  function passingInode(number: number): Inode | Promise<Inode> {
    return inodes.get(number) ?? inodeBytes(number, decode);
  }

  function decode(number: number, bytes: Buffer, offset: number): Inode {
    return decodeInode(medium, number, Buffer.from(bytes), offset);
  }

  function keepInode(number: number, bytes: Buffer, offset: number): Inode {
    const inode = decodeInode(medium, number, ownCopy(bytes), offset);
    inodes.set(number, inode);
    return inode;
  }

  /** What `decode` makes of the bytes of inode `number`; at once where they are kept. */
  function inodeBytes<T>(number: number, decode: Decode<T>): T | Promise<T> {
    const { inodeCount } = medium.geometry;
    if (!Number.isInteger(number) || number < 1 || number > inodeCount)
      throw numberError(medium, number, `from 1 to ${inodeCount}`);
    const group = groups.get(groupOf(medium, number), undefined);
    if (group instanceof Promise) return group.then((group) => inodeIn(group, number, decode));
    return inodeIn(group, number, decode);
  }

  function inodeIn<T>(group: Group, number: number, decode: Decode<T>): T | Promise<T> {
    const offset = inodeOffset(medium, number, group);
    const bytes = medium.metadata.read(offset, medium.geometry.inodeSize);
    if (bytes instanceof Promise) return bytes.then((bytes) => decode(number, bytes, offset));
    return decode(number, bytes, offset);
  }

  /** Inode `number`, which a directory names. */
  function inodeOf(number: number, find = anyInode): Inode | Promise<Inode> {
    checkOwner(number);
    const inode = find(number);
    return inode instanceof Promise ? inode.then(checkKind) : checkKind(inode);
  }

  function checkOwner(number: number): void {
    if (own(number)) throw numberError(medium, number, "one that is not the file system's own");
  }

  function checkKind<I extends SoundInode>(inode: I): I {
    if ((inode.flags & InodeFlag.attributeValue) !== 0)
      throw kindError(medium, inode, "an extended attribute's value", "a file");
    return inode;
  }

  /** The attributes alone, of which nothing is kept: they are asked for by the hundred thousand. */
  function decodeAttributes(number: number, bytes: Buffer, offset: number): Attributes {
    return attributesOf(medium, checkKind(checkInode(medium, number, bytes, offset)));
  }

  async function inodeOfType(number: number, type: NodeType, find = anyInode): Promise<Inode> {
    const inode = await inodeOf(number, find);
    if (inode.type === type) return inode;
    throw kindError(medium, inode, `a ${inode.type}`, `a ${type}`);
  }

  async function contents(inode: Inode): Promise<BlockSource> {
    if ((inode.flags & InodeFlag.encrypted) !== 0) throw encryptedError(medium, inode);
    return contentsOf(medium, inode);
  }

  /** Bytes of the journal, 0 where there is none to be read: what is free does not depend on it. */
  async function journalSize(): Promise<number> {
    const journal = medium.superblock.journalInode;
    if (journal === 0) return 0;
    try {
      return (await anyInode(journal)).size;
    } catch (error) {
      if (error instanceof DiskError) return 0;
      throw error;
    }
  }

  return {
    root: ROOT_INODE,
    nodeLimit: INODE_LIMIT,
    facts: factsOf(medium, warnings),
    attributes(id) {
      checkOwner(id);
      return inodeBytes(id, decodeAttributes);
    },
    async lookup(id, name) {
      return names.find(await inodeOfType(id, "directory"), name);
    },
    async list(id, cookie, limit = BATCH_SIZE) {
      const inode = await inodeOfType(id, "directory");
      const entries: DirectoryEntry[] = [];
      let isEnd = true;
      if (cookie === 0) damaged.delete(id); // what the host could not read may be readable now
      for await (const parts of partsOf(medium, inode, cookie, limit < BATCH_SIZE ? 0 : undefined)) {
        for (const part of parts) {
          const damage = entriesOf(medium, inode, part, (entry) => {
            if (entry.position >= cookie) entries.push(listed(entry));
          });
          const parent = parentIn(part);
          if (parent !== undefined) parents.set(id, parent);
          if (damage !== undefined) damaged.set(id, damage);
          else passRest(entries, part);
        }
        isEnd = entries.length < limit;
        if (!isEnd) break;
      }
      // The names behind the damage come first: only the end says that some are missing.
      const damage = damaged.get(id);
      if (entries.length === 0 && damage !== undefined) throw damage;
      const last = entries.at(-1);
      if (isEnd && damage === undefined && last !== undefined) entries[entries.length - 1] = asLast(last);
      return entries;
    },
    parentInode(id) {
      const inode = inodes.get(id);
      if (inode === undefined || (inode.flags & InodeFlag.inlineData) === 0) return parents.get(id);
      return inlineData(medium, inode).readUInt32LE(0); // source: fs/ext4/inline.c, ext4_read_inline_dir
    },
    async readLink(id) {
      const inode = await inodeOfType(id, "symlink");
      const { size } = inode;
      const isFast = isFastLink(medium, inode);
      if (size === 0 || size >= LINK_LIMIT)
        throw kindError(medium, inode, `a link to ${size} bytes`, `a link to 1 to ${LINK_LIMIT - 1} bytes`);
      if ((inode.flags & InodeFlag.encrypted) !== 0) throw encryptedError(medium, inode);
      const target = isFast
        ? inode.record.block.subarray(0, size)
        : await read(await contents(inode), 0, size);
      const end = target.indexOf(0);
      if (end === 0 || (end > 0 && isFast))
        throw kindError(medium, inode, `a link to ${end} bytes and a zero byte`, `a link to ${size} bytes`);
      return Buffer.from(end < 0 ? target : target.subarray(0, end));
    },
    async open(id) {
      return contents(await inodeOfType(id, "file", passingInode));
    },
    async extendedAttributes(id) {
      return readAttributes(medium, await inodeOf(id), { inode: async (other) => anyInode(other), contents });
    },
    async usage() {
      usage ??= journalSize()
        .then((size) => usageOf(medium, size))
        .catch((error: unknown) => {
          usage = undefined; // the host may have failed only for once
          throw error;
        });
      return usage;
    },
  };
}

/** Inode numbers are words of 32 bits, and a damaged directory may have any. */
const INODE_LIMIT = 2 ** 32;

function listed({ name, inode, type, next, problem }: Entry): DirectoryEntry {
  if (problem !== undefined) return { name, id: inode, cookie: next, problem };
  return { name, id: inode, type, cookie: next };
}

/** Behind the last name of a part is none: whoever goes on from there need not look at the part again. */
function passRest(entries: DirectoryEntry[], part: Part): void {
  const last = entries.at(-1);
  if (last === undefined || "error" in part || last.cookie <= part.position) return;
  entries[entries.length - 1] = { ...last, cookie: part.position + part.bytes.length };
}

function asLast(entry: DirectoryEntry): DirectoryEntry {
  return { ...entry, isLast: true };
}

/** What an inode takes in memory besides its bytes, about. */
const INODE_OVERHEAD = 768;

/**
 * Whether the target lies in i_block. The flag for extents means nothing in an inode without blocks: Linux goes by
 * the blocks (fs/ext4/inode.c, ext4_inode_is_fast_symlink), debugfs by the size (lib/ext2fs/symlink.c).
 */
function isFastLink(medium: Medium, inode: Inode): boolean {
  const { flags, size, record, attributesBlock } = inode;
  if ((flags & InodeFlag.inlineData) !== 0 || size >= record.block.length) return false;
  if ((flags & InodeFlag.extents) === 0) return true;
  const { blockSize, blocksPerCluster } = medium.geometry;
  const attributeSectors = attributesBlock === 0 ? 0 : (blocksPerCluster * blockSize) / 512;
  return attributesOf(medium, inode).allocatedSectors === attributeSectors;
}

/** Whether an inode is the file system's own, and in no directory. Source: fs/ext4/inode.c, __ext4_iget. */
function ownInodes({ superblock, geometry }: Medium): (number: number) => boolean {
  const { userQuotaInode, groupQuotaInode, projectQuotaInode, orphanFileInode } = superblock;
  return (number) =>
    number !== ROOT_INODE &&
    (number < geometry.firstInode ||
      number === userQuotaInode ||
      number === groupQuotaInode ||
      number === projectQuotaInode ||
      number === orphanFileInode);
}

function numberError({ volume }: Medium, number: number, expected: string): CorruptError {
  return new CorruptError({
    file: volume.name,
    thing: "an inode that a directory names",
    found: number,
    expected,
  });
}

function kindError({ volume }: Medium, inode: SoundInode, found: string, expected: string): CorruptError {
  const offset = inode.offset + InodeRecord.fields.mode.offset;
  return new CorruptError({ file: volume.name, offset, thing: `inode ${inode.number}`, found, expected });
}

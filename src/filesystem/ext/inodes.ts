/** The inodes of one file system by number. Decoded inodes are cached; attributes are decoded from the bytes each time. */
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../bytes/memory.js";
import { ownCopy } from "../../bytes/pool.js";
import { CorruptError, DiskError } from "../../errors.js";
import type { StopSignal } from "../../extent/time-slice.js";
import { blankAttributes, type Attributes, type NodeType } from "../attributes.js";
import type { ReadAttributes } from "../page-builder.js";
import { inodeTableOf, numberError, type InodeBytes } from "./inode-table.js";
import {
  checkInode,
  decodeInode,
  InodeFlag,
  InodeRecord,
  readStat,
  ROOT_INODE,
  type Inode,
  type SoundInode,
} from "./inode.js";
import type { InodeContext, Medium } from "./medium.js";

/** Bytes of decoded inodes that are cached. */
const INODE_CACHE_BYTES = withinMemory(8 * 2 ** 20);

/** Memory that a decoded inode takes besides its bytes, about. */
const INODE_OVERHEAD = 768;

export interface Inodes {
  /** Inode `number`, whatever its purpose. */
  any(number: number): Promise<Inode>;
  /** Inode `number`, if a directory may name it. @throws {CorruptError} if not. */
  named(number: number): Promise<Inode>;
  /** The same, which must be a directory or a symbolic link, say. @throws {CorruptError} if it is not. */
  ofType(number: number, type: NodeType): Promise<Inode>;
  /** The same for a regular file. It is not cached: files are opened by the hundred thousand. */
  file(number: number): Promise<Inode>;
  /** The attributes of inode `number`, if a directory may name it. @throws {CorruptError} if not. */
  attributes(number: number): Promise<Attributes>;
  /**
   * Reads inodes `numbers[0]` to `numbers[count - 1]` for a page of a directory.
   * @param isMany whether they are so many that they are read in the order of the volume, past the cache.
   */
  readAttributes(
    numbers: ArrayLike<number>,
    count: number,
    isMany: boolean,
    signal?: StopSignal,
  ): Promise<ReadAttributes>;
  /** The inode, if it is cached. */
  cached(number: number): Inode | undefined;
}

export function inodesOf(medium: Medium): Inodes {
  const table = inodeTableOf(medium);
  const cache = new LRUCache<number, Inode>({
    max: Math.ceil(INODE_CACHE_BYTES / (medium.geometry.inodeSize + INODE_OVERHEAD)),
  });
  const isOwn = ownInodes(medium);

  async function any(number: number): Promise<Inode> {
    const cached = cache.get(number);
    if (cached !== undefined) return cached;
    const { bytes, offset } = await table.read(number);
    const inode = decodeInode(medium, number, ownCopy(bytes), offset);
    cache.set(number, inode);
    return inode;
  }

  async function uncached(number: number): Promise<Inode> {
    const cached = cache.get(number);
    if (cached !== undefined) return cached;
    const { bytes, offset } = await table.read(number);
    return decodeInode(medium, number, Buffer.from(bytes), offset);
  }

  async function named(number: number, find = any): Promise<Inode> {
    refuseOwn(number);
    return checkPurpose(medium, await find(number));
  }

  function refuseOwn(number: number): void {
    if (isOwn(number)) throw numberError(medium, number, "one that is not the file system's own");
  }

  async function ofType(number: number, type: NodeType, find = any): Promise<Inode> {
    const inode = await named(number, find);
    if (inode.type === type) return inode;
    throw kindError(medium, inode, `a ${inode.type}`, `a ${type}`);
  }

  return {
    any,
    named: async (number) => named(number),
    ofType: async (number, type) => ofType(number, type),
    file: async (number) => ofType(number, "file", uncached),
    async attributes(number) {
      refuseOwn(number);
      const { bytes, offset } = await table.read(number);
      const attributes = blankAttributes();
      readStat(medium, checkPurpose(medium, checkInode(medium, number, bytes, offset)), attributes);
      return attributes;
    },
    async readAttributes(numbers, count, isMany, signal) {
      const inodes = await table.readAll(numbers, count, isMany, signal);
      return attributesIn(inodes, numbers, isOwn, {
        geometry: medium.geometry,
        volume: { name: medium.volume.name },
      });
    },
    cached: (number) => cache.get(number),
  };
}

/**
 * The attributes of `inodes`, which are decoded when they are requested. A page may be kept longer than its file system is
 * open, so this refers to `context` and to nothing else of the file system.
 */
function attributesIn(
  inodes: InodeBytes,
  numbers: ArrayLike<number>,
  isOwn: (number: number) => boolean,
  context: InodeContext,
): ReadAttributes {
  return (index, into) => {
    const number = numbers[index]!;
    const bytes = inodes.of(index);
    if (bytes === undefined || isOwn(number)) return false;
    try {
      readStat(context, checkPurpose(context, checkInode(context, number, bytes, 0)), into);
      return true;
    } catch (error) {
      if (error instanceof DiskError) return false; // reading the inode alone throws it again, with its place
      throw error;
    }
  };
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

/** @throws {CorruptError} if `inode` holds an extended attribute's value: it is not a file then. */
function checkPurpose<I extends SoundInode>(context: InodeContext, inode: I): I {
  if ((inode.flags & InodeFlag.attributeValue) !== 0)
    throw kindError(context, inode, "an extended attribute's value", "a file");
  return inode;
}

/** The error for `inode`, which is not of the kind that is expected. */
export function kindError(
  { volume }: InodeContext,
  inode: SoundInode,
  found: string,
  expected: string,
): CorruptError {
  const offset = inode.offset + InodeRecord.fields.mode.offset;
  return new CorruptError({ file: volume.name, offset, thing: `inode ${inode.number}`, found, expected });
}

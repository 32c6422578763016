/** The inodes of one file system by number. Decoded ones are cached; attributes alone are decoded from the bytes each time. */
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../bytes/memory.js";
import { ownCopy } from "../../bytes/pool.js";
import { CorruptError, DiskError } from "../../errors.js";
import { loadingCache } from "../../extent/loading.js";
import type { StopSignal } from "../../extent/time-slice.js";
import type { Attributes, NodeType } from "../filesystem.js";
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
import type { Medium } from "./medium.js";
import { sweepInodes, type SweptInodes } from "./sweep.js";

/** Bytes of decoded inodes that are cached. */
const INODE_CACHE_BYTES = withinMemory(8 * 2 ** 20);

/** Memory that a decoded inode takes besides its bytes, about. */
const INODE_OVERHEAD = 768;

/** Group descriptors that are cached. */
const GROUP_CACHE_COUNT = 2 ** 12;

/** Results are returned at once, without a promise, where the bytes that they need are cached. */
export interface Inodes {
  /** Inode `number`, whatever its purpose. */
  any(number: number): Inode | Promise<Inode>;
  /** Inode `number`, if a directory may name it. @throws {CorruptError} if not. */
  named(number: number): Inode | Promise<Inode>;
  /** The same, which must be a directory or a symbolic link, say. @throws {CorruptError} if it is not. */
  ofType(number: number, type: NodeType): Promise<Inode>;
  /** The same for a regular file. It is not cached: files are opened by the hundred thousand. */
  file(number: number): Promise<Inode>;
  /** The attributes of inode `number`, if a directory may name it. @throws {CorruptError} if not. */
  attributes(number: number): Attributes | Promise<Attributes>;
  /** The same for the inode in `bytes`; undefined if they are damaged: `attributes` throws the error. */
  attributesIn(number: number, bytes: Buffer): Attributes | undefined;
  /** Reads many inodes in the order of the volume. */
  sweep(numbers: ArrayLike<number>, signal?: StopSignal): Promise<SweptInodes>;
  /** The inode, if it is cached. */
  cached(number: number): Inode | undefined;
}

export function inodesOf(medium: Medium): Inodes {
  const groups = loadingCache<number, Group>(
    GROUP_CACHE_COUNT,
    () => 1,
    (index) => readGroup(medium, index),
  );
  const cache = new LRUCache<number, Inode>({
    max: Math.ceil(INODE_CACHE_BYTES / (medium.geometry.inodeSize + INODE_OVERHEAD)),
  });
  const isOwn = ownInodes(medium);

  function any(number: number): Inode | Promise<Inode> {
    return cache.get(number) ?? decoded(number, decodeAndCache);
  }

  function uncached(number: number): Inode | Promise<Inode> {
    return cache.get(number) ?? decoded(number, decodeCopy);
  }

  function decodeCopy(number: number, bytes: Buffer, offset: number): Inode {
    return decodeInode(medium, number, Buffer.from(bytes), offset);
  }

  function decodeAndCache(number: number, bytes: Buffer, offset: number): Inode {
    const inode = decodeInode(medium, number, ownCopy(bytes), offset);
    cache.set(number, inode);
    return inode;
  }

  function decodeAttributes(number: number, bytes: Buffer, offset: number): Attributes {
    return attributesOf(medium, checkPurpose(medium, checkInode(medium, number, bytes, offset)));
  }

  /** The result of `decode` for inode `number`. */
  function decoded<T>(number: number, decode: Decode<T>): T | Promise<T> {
    const { inodeCount } = medium.geometry;
    if (!Number.isInteger(number) || number < 1 || number > inodeCount)
      throw numberError(medium, number, `from 1 to ${inodeCount}`);
    const group = groups.get(groupOf(medium, number), undefined);
    if (group instanceof Promise) return group.then((group) => decodedIn(group, number, decode));
    return decodedIn(group, number, decode);
  }

  function decodedIn<T>(group: Group, number: number, decode: Decode<T>): T | Promise<T> {
    const offset = inodeOffset(medium, number, group);
    const bytes = medium.metadata.read(offset, medium.geometry.inodeSize);
    if (bytes instanceof Promise) return bytes.then((bytes) => decode(number, bytes, offset));
    return decode(number, bytes, offset);
  }

  function named(number: number, find = any): Inode | Promise<Inode> {
    refuseOwn(number);
    const inode = find(number);
    return inode instanceof Promise
      ? inode.then((inode) => checkPurpose(medium, inode))
      : checkPurpose(medium, inode);
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
    named: (number) => named(number),
    ofType: async (number, type) => ofType(number, type),
    file: async (number) => ofType(number, "file", uncached),
    attributes(number) {
      refuseOwn(number);
      return decoded(number, decodeAttributes);
    },
    attributesIn(number, bytes) {
      try {
        return isOwn(number) ? undefined : decodeAttributes(number, bytes, 0);
      } catch (error) {
        if (error instanceof DiskError) return undefined;
        throw error;
      }
    },
    sweep: async (numbers, signal) =>
      sweepInodes(medium, (index) => groups.get(index, undefined), numbers, signal),
    cached: (number) => cache.get(number),
  };
}

/** @param bytes borrowed, of the inode; they lie at `offset`. */
type Decode<T> = (number: number, bytes: Buffer, offset: number) => T;

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

/** @throws {CorruptError} if `inode` holds an extended attribute's value: it is no file then. */
function checkPurpose<I extends SoundInode>(medium: Medium, inode: I): I {
  if ((inode.flags & InodeFlag.attributeValue) !== 0)
    throw kindError(medium, inode, "an extended attribute's value", "a file");
  return inode;
}

function numberError({ volume }: Medium, number: number, expected: string): CorruptError {
  return new CorruptError({
    file: volume.name,
    thing: "an inode that a directory names",
    found: number,
    expected,
  });
}

/** The error for `inode`, which is not what it is used as. */
export function kindError(
  { volume }: Medium,
  inode: SoundInode,
  found: string,
  expected: string,
): CorruptError {
  const offset = inode.offset + InodeRecord.fields.mode.offset;
  return new CorruptError({ file: volume.name, offset, thing: `inode ${inode.number}`, found, expected });
}

/** What every part of the reader needs: the volume, its metadata through a cache, and its geometry. */
import { LRUCache } from "lru-cache";
import { withinMemory } from "../../bytes/memory.js";
import type { CachedReader } from "../../extent/cache.js";
import type { BlockSource } from "../../extent/extent.js";
import { CorruptError } from "../../errors.js";
import type { Geometry, Superblock } from "./superblock.js";

export interface Medium {
  readonly volume: BlockSource;
  readonly metadata: CachedReader;
  readonly superblock: Superblock;
  readonly geometry: Geometry;
  /** Blocks whose checksum and order were verified, by the byte where they lie. */
  readonly checked: CheckedBlocks;
  /** The blocks that hold the file system's own metadata. */
  readonly systemZone: SystemZone;
}

/** What it takes to decode an inode: the geometry, and the name of the volume for messages. */
export interface InodeContext {
  readonly geometry: Geometry;
  readonly volume: Pick<BlockSource, "name">;
}

/** Blocks `[first, end)`. */
export interface BlockRange {
  readonly first: number;
  readonly end: number;
}

/** The blocks of a file system that hold its own metadata, and so no file's contents. */
export interface SystemZone {
  /** As `load`, if the descriptors of the groups are in memory; otherwise undefined. */
  peek(first: number, end: number): readonly BlockRange[] | undefined;
  /** Those of blocks `[first, end)` that are in it, in order. */
  load(first: number, end: number): Promise<readonly BlockRange[]>;
}

/** A block that was verified as the one of this inode, at this place in it, at this depth of its tree. */
export interface CheckedBlock {
  readonly inode: number;
  readonly first: number;
  /** Of an extent block; DIRECTORY_BLOCK for a directory's. */
  readonly depth: number;
  readonly bytes: Buffer;
}
export type CheckedBlocks = LRUCache<number, CheckedBlock>;

export const DIRECTORY_BLOCK = -1;

/** Bytes of verified blocks that one file system keeps. */
const CHECKED_BYTES = withinMemory(16 * 2 ** 20);

export function checkedBlocks(): CheckedBlocks {
  return new LRUCache({ maxSize: CHECKED_BYTES, sizeCalculation: ({ bytes }) => bytes.length });
}

/** Little-endian bytes of `value`: the form in which checksums cover inode and group numbers. */
export function word(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** The error for a wrong checksum of `thing`, which lies at `offset`. */
export function checksumError({ volume }: InodeContext, offset: number, thing: string): CorruptError {
  return new CorruptError({
    file: volume.name,
    offset,
    thing: `the checksum of ${thing}`,
    found: "wrong",
    expected: "the checksum of its bytes",
  });
}

/** @throws {CorruptError} if `block`, to which the `thing` at byte `pointer` points, contains metadata of the file system itself. */
export async function refuseSystemBlock(
  { systemZone, volume }: Medium,
  block: number,
  pointer: number,
  thing: string,
): Promise<void> {
  const system = systemZone.peek(block, block + 1) ?? (await systemZone.load(block, block + 1));
  if (system.length > 0)
    throw new CorruptError({
      file: volume.name,
      offset: pointer,
      thing,
      found: `block ${block}`,
      expected: OUTSIDE_METADATA,
    });
}

export const OUTSIDE_METADATA = "outside the file system's own metadata";

/**
 * Whether `count` blocks from `block` can hold contents: past the superblock and within the file system.
 * Source: ext4_sb_block_valid.
 */
export function holdsBlocks({ geometry }: Medium, block: number, count: number): boolean {
  return block > geometry.firstDataBlock && block + count <= geometry.blockCount;
}

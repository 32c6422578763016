/**
 * Copies of the superblock: where they may lie, which of them to use, and whether their file system is still there.
 * Copies outlive the file system that they belong to: mkfs of another kind, or of another block size, leaves them.
 */
import { DiskError } from "../../errors.js";
import { cachedReader } from "../../extent/cache.js";
import type { BlockSource } from "../../extent/extent.js";
import { read } from "../../extent/read.js";
import { hasExtMagic } from "../../extent/signatures.js";
import { partsOf } from "./directory.js";
import { entryAt } from "./entry.js";
import { Incompatible } from "./features.js";
import { groupOf, inodeOffset, readGroup } from "./group.js";
import { decodeInode, InodeFlag, ROOT_INODE } from "./inode.js";
import { checkedBlocks, type Medium } from "./medium.js";
import { systemZoneOf } from "./system-zone.js";
import {
  firstBlockOf,
  geometryOf,
  hasSuperblock,
  MAX_LOG_BLOCK_SIZE,
  Superblock,
  SUPERBLOCK_SIZE,
  superblockChecksumFits,
  type Geometry,
} from "./superblock.js";

/** A copy of the superblock whose checksum and geometry are sound, and that lies where its geometry has a copy. */
export interface Copy {
  readonly superblock: Superblock;
  readonly geometry: Geometry;
  /** Absolute byte. */
  readonly offset: number;
}

/** The first groups that hold copies on most file systems. */
const COPY_GROUPS = [1, 3, 5, 7, 9];

/** Source: e2fsprogs lib/ext2fs/ext2_fs.h, EXT2_MAX_BLOCKS_PER_GROUP, in clusters. */
const MAX_GROUP_BLOCKS = 2 ** 16 - 8;

/**
 * The largest cluster that is searched for, in blocks, as a power of two: with bigalloc, a group is larger by that factor.
 * The default of mke2fs is 16 blocks.
 */
const MAX_LOG_CLUSTER_BLOCKS = 8;

/**
 * The copies at the places that mke2fs uses by default (without its option -g): one for each file system that was made
 * here, the newest first.
 */
export async function findCopies(volume: BlockSource): Promise<Copy[]> {
  const copies = new Map<string, Copy>();
  for (const offset of placesOf(volume.size)) {
    const copy = await copyAt(volume, offset);
    if (copy === undefined) continue;
    const { uuid, makeTime } = copy.superblock;
    const key = `${uuid} ${makeTime} ${copy.geometry.blockSize}`;
    if (!copies.has(key)) copies.set(key, copy);
  }
  return [...copies.values()].sort((a, b) => timeOf(b.superblock) - timeOf(a.superblock));
}

/** When the file system was made, in seconds since 1970. */
function timeOf({ makeTime, makeTimeHigh }: Superblock): number {
  return makeTime + makeTimeHigh * 2 ** 32;
}

/** Bytes where copies may lie: about fifty, whatever the size of the volume. */
function placesOf(size: number): Set<number> {
  const places = new Set<number>();
  for (let log = 0; log <= MAX_LOG_BLOCK_SIZE; log++) {
    const blockSize = 1024 << log;
    const groupSize = Math.min(8 * blockSize, MAX_GROUP_BLOCKS) * blockSize; // one bit for each block, in one block of bitmap
    const first = log === 0 ? blockSize : 0; // with blocks of 1 KiB, group 0 begins at block 1
    const last = Math.ceil((size - first) / groupSize) - 1; // holds a copy with sparse_super2
    for (const group of [...COPY_GROUPS, last]) places.add(first + group * groupSize);
    for (let clusterLog = 1; clusterLog <= MAX_LOG_CLUSTER_BLOCKS; clusterLog++)
      places.add(groupSize * 2 ** clusterLog); // group 1 with bigalloc
  }
  return new Set([...places].filter((offset) => offset > 0 && offset + SUPERBLOCK_SIZE <= size));
}

async function copyAt(volume: BlockSource, offset: number): Promise<Copy | undefined> {
  try {
    const bytes = await read(volume, offset, SUPERBLOCK_SIZE);
    if (!hasExtMagic(bytes) || !superblockChecksumFits(bytes)) return undefined;
    const superblock = Superblock.view(bytes);
    const geometry = geometryOf(superblock, volume.name, offset);
    const { group } = superblock;
    const isHere = firstBlockOf(geometry, group) * geometry.blockSize === offset;
    return isHere && hasSuperblock(superblock, geometry, group)
      ? { superblock, geometry, offset }
      : undefined;
  } catch (error) {
    if (error instanceof DiskError) return undefined; // this copy is of no use; there are more
    throw error;
  }
}

/** The parts of the reader for a superblock on `volume`. */
export function mediumOf(
  volume: BlockSource,
  { superblock, geometry }: Pick<Copy, "superblock" | "geometry">,
): Medium {
  const parts = { volume, metadata: cachedReader(volume), superblock, geometry, checked: checkedBlocks() };
  const medium: Medium = { ...parts, systemZone: systemZoneOf(() => medium) };
  return medium;
}

/**
 * Whether the root directory is where the superblock of `medium` has it: a directory whose first entry is "." and means
 * itself. A newer file system on the volume has usually overwritten it.
 */
export async function hasRoot(medium: Medium): Promise<boolean> {
  try {
    const group = await readGroup(medium, groupOf(medium, ROOT_INODE));
    if (!group.isSound) return false;
    const offset = inodeOffset(medium, ROOT_INODE, group);
    const bytes = await medium.metadata.read(offset, medium.geometry.inodeSize);
    const root = decodeInode(medium, ROOT_INODE, Buffer.from(bytes), offset);
    if (root.type !== "directory") return false;
    if ((root.flags & InodeFlag.inlineData) !== 0) return true;
    for await (const [part] of partsOf(medium, root, 0)) {
      if (part === undefined || "error" in part) return false;
      const { inodeCount } = medium.geometry;
      const own = entryAt(part, { hasTypes: false, inodeCount, shown: (name) => name }, 0);
      return own?.inode === ROOT_INODE && own.name.toString() === ".";
    }
    return false;
  } catch (error) {
    if (error instanceof DiskError) return false;
    throw error;
  }
}

/** Whether two superblocks describe the same file system, apart from what changes while it is used. */
export function isSameGeometry(a: Geometry, b: Geometry): boolean {
  return JSON.stringify(fixedPart(a)) === JSON.stringify(fixedPart(b));
}

function fixedPart({ features, ...rest }: Geometry): unknown {
  return { ...rest, incompatible: features.incompatible & ~Incompatible.needs_recovery };
}

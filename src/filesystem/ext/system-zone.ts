/**
 * The blocks of the file system's own metadata: superblocks, descriptors, bitmaps, inode tables and the journal. A file that
 * claims one of them is damaged: Linux refuses to read it (its mount option block_validity, which is on by default).
 * Source: fs/ext4/block_validity.c.
 *
 * The descriptors of a region of groups are read when a file in that region is first mapped. Metadata that lies outside
 * the region of its group (mke2fs -E packed_meta_blocks on a large volume) is not recognised.
 */
import { firstIndex } from "../../bytes/integers.js";
import { DiskError } from "../../errors.js";
import { loadingCache } from "../../extent/loading.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import { mapByTable } from "./blockmap.js";
import { mapByExtents } from "./extents.js";
import { Compatible, Incompatible } from "./features.js";
import { groupOf, inodeOffset, readGroup, tableBlocks } from "./group.js";
import { decodeInode, InodeFlag } from "./inode.js";
import type { BlockRange, Medium, SystemZone } from "./medium.js";
import { firstBlockOf, hasSuperblock } from "./superblock.js";
import { descriptorBlocks } from "./usage.js";

/** Groups of a region: as many as a flex group has, whose metadata lie together, within these bounds. */
const LEAST_REGION = 16;
const LARGEST_REGION = 2 ** 12;

/** Ranges of blocks that are kept in memory. */
const RANGES_KEPT = 2 ** 15;

/** Blocks of a journal that are recognised: four times the largest that mke2fs makes by default. */
const JOURNAL_LIMIT = 2 ** 20;

/** @param mediumNow returns the file system, of which the zone is a part. */
export function systemZoneOf(mediumNow: () => Medium): SystemZone {
  const regions = loadingCache<number, BlockRange[], Medium>(
    RANGES_KEPT,
    (ranges) => ranges.length + 1,
    readRegion,
  );
  let journal: readonly BlockRange[] | undefined;
  let journalLoad: Promise<readonly BlockRange[]> | undefined;

  /** The regions of blocks `[first, end)`: from `start` to `last`. */
  function regionsOf(first: number, end: number): { start: number; last: number } {
    const medium = mediumNow();
    const size = regionSize(medium) * medium.geometry.blocksPerGroup;
    const regionOf = (block: number): number =>
      Math.max(0, Math.floor((block - medium.geometry.firstDataBlock) / size));
    return { start: regionOf(first), last: regionOf(end - 1) };
  }

  async function load(
    first: number,
    end: number,
    ofJournal: readonly BlockRange[],
  ): Promise<readonly BlockRange[]> {
    const { start, last } = regionsOf(first, end);
    const found: BlockRange[] = [];
    for (let region = start; region <= last; region++) {
      // Not before the first region: most files are in one, and a turn would delay each of them.
      const turn = region > start ? yieldIfDue() : undefined;
      if (turn !== undefined) await turn;
      const ranges = regions.peek(region) ?? (await regions.load(region, mediumNow()));
      found.push(...cut(ranges, first, end));
    }
    return joined(found, cut(ofJournal, first, end));
  }

  /** The zone without the journal, which itself is mapped with it. */
  const withoutJournal: SystemZone = { peek: () => undefined, load: (first, end) => load(first, end, []) };

  return {
    peek(first, end) {
      if (journal === undefined) return undefined;
      const { start, last } = regionsOf(first, end);
      const ranges = start === last ? regions.peek(start) : undefined;
      return ranges && joined(cut(ranges, first, end), cut(journal, first, end));
    },
    async load(first, end) {
      journalLoad ??= journalRanges({ ...mediumNow(), systemZone: withoutJournal });
      journal = await journalLoad;
      return load(first, end, journal);
    },
  };
}

/** `ranges` and `others` in order. */
function joined(ranges: BlockRange[], others: BlockRange[]): readonly BlockRange[] {
  if (others.length === 0 && ranges.length < 2) return ranges;
  return merge([...ranges, ...others]);
}

function regionSize({ superblock, geometry }: Medium): number {
  const hasFlex = (geometry.features.incompatible & Incompatible.flex_bg) !== 0;
  const size = hasFlex ? 2 ** superblock.logGroupsPerFlex : 1;
  return Math.min(LARGEST_REGION, Math.max(LEAST_REGION, size));
}

/** The metadata of the groups of region `index`, in order. */
async function readRegion(index: number, medium: Medium): Promise<BlockRange[]> {
  const { superblock, geometry } = medium;
  const size = regionSize(medium);
  const ranges: BlockRange[] = [];
  for (let group = index * size; group < Math.min(geometry.groupCount, (index + 1) * size); group++) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const head = headBlocks({ superblock, geometry }, group);
    const first = firstBlockOf(geometry, group);
    if (head > 0) ranges.push({ first, end: first + head });
    ranges.push(...(await metadataOf(medium, group)));
  }
  return merge(ranges);
}

/** Blocks of the superblock, the descriptors and room for more of them in `group`. Source: ext4_num_base_meta_blocks. */
function headBlocks(
  { superblock, geometry }: Pick<Medium, "superblock" | "geometry">,
  group: number,
): number {
  const hasCopy = hasSuperblock(superblock, geometry, group);
  const isMeta = (geometry.features.incompatible & Incompatible.meta_bg) !== 0;
  const isOld = !isMeta || group < superblock.firstMetaGroup * geometry.descriptorsPerBlock;
  const descriptors = descriptorBlocks({ superblock, geometry }, group, hasCopy);
  const reserved = isOld ? superblock.reservedDescriptorBlocks : 0;
  return (hasCopy ? 1 : 0) + descriptors + (hasCopy ? reserved : 0);
}

/** The bitmaps and the inode table of `group`; none if its descriptor is damaged: files that are sound stay readable. */
async function metadataOf(medium: Medium, index: number): Promise<BlockRange[]> {
  const { geometry } = medium;
  try {
    const { isSound, blockBitmap, inodeBitmap, inodeTable } = await readGroup(medium, index);
    if (!isSound) return [];
    const bitmaps = [blockBitmap, inodeBitmap].filter((block) => isInPlace(medium, index, block));
    return [
      ...bitmaps.map((first) => ({ first, end: first + 1 })),
      { first: inodeTable, end: inodeTable + tableBlocks(geometry) },
    ];
  } catch (error) {
    if (error instanceof DiskError) return [];
    throw error;
  }
}

/** Whether `block` may be a bitmap of group `index`. Source: fs/ext4/super.c, ext4_check_descriptors. */
function isInPlace({ geometry }: Medium, index: number, block: number): boolean {
  const { features, blockCount, blocksPerGroup } = geometry;
  if ((features.incompatible & Incompatible.flex_bg) !== 0) return block < blockCount;
  const first = firstBlockOf(geometry, index);
  return block >= first && block < first + blocksPerGroup;
}

/** The blocks of the journal's inode, if it has one that is sound. */
async function journalRanges(medium: Medium): Promise<BlockRange[]> {
  const { superblock, geometry } = medium;
  const number = superblock.journalInode;
  const hasJournal = (geometry.features.compatible & Compatible.has_journal) !== 0;
  if (!hasJournal || number < 1 || number > geometry.inodeCount) return [];
  try {
    const offset = inodeOffset(medium, number, await readGroup(medium, groupOf(medium, number)));
    const bytes = Buffer.from(await medium.metadata.read(offset, geometry.inodeSize));
    const inode = decodeInode(medium, number, bytes, offset);
    const isTree = (inode.flags & InodeFlag.extents) !== 0;
    const map = isTree ? mapByExtents(medium, inode) : mapByTable(medium, inode);
    const ranges: BlockRange[] = [];
    const end = Math.min(JOURNAL_LIMIT, Math.ceil(inode.size / geometry.blockSize));
    for (let at = 0; at < end && ranges.length < RANGES_KEPT;) {
      for (const run of await map(at, end)) {
        if (run.kind === "at") ranges.push({ first: run.block, end: run.block + run.count });
        at += run.count;
      }
    }
    return merge(ranges);
  } catch (error) {
    if (error instanceof DiskError) return [];
    throw error;
  }
}

/** The parts of sorted `ranges` that are in `[first, end)`. */
function cut(ranges: readonly BlockRange[], first: number, end: number): BlockRange[] {
  let index = firstIndex(ranges.length, (at) => ranges[at]!.end > first);
  const found: BlockRange[] = [];
  for (let range = ranges[index]; range !== undefined && range.first < end; range = ranges[++index])
    found.push({ first: Math.max(first, range.first), end: Math.min(end, range.end) });
  return found;
}

/** `ranges` in order; those that are adjacent or overlap are joined. */
function merge(ranges: readonly BlockRange[]): BlockRange[] {
  const merged: BlockRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const last = merged.at(-1);
    if (last !== undefined && range.first <= last.end)
      merged[merged.length - 1] = { first: last.first, end: Math.max(last.end, range.end) };
    else merged.push(range);
  }
  return merged;
}

/** The values of statfs(2). Source: fs/ext4/super.c, ext4_statfs and ext4_calculate_overhead. */
import { yieldIfDue } from "../../extent/time-slice.js";
import type { Usage } from "../filesystem.js";
import { Compatible, Incompatible, ReadOnlyCompatible } from "./features.js";
import { readFree } from "./group.js";
import type { Medium } from "./medium.js";
import { hasSuperblock } from "./superblock.js";

const NAME_LIMIT = 255;
/** Clusters that the kernel reserves for delayed allocation. Source: super.c, ext4_set_resv_clusters. */
const RESERVED_CLUSTER_LIMIT = 4096;
const RESERVED_CLUSTER_SHARE = 50;

/**
 * Groups that are counted, which takes about a fifth of a second: 32 TiB with blocks of 4 KiB. Above that, the superblock's own
 * figures are used, though Linux updates them only when it unmounts.
 */
const COUNTED_GROUP_LIMIT = 2 ** 18;

/** @param journalSize bytes of the journal, if it is a file of this file system; else 0. */
export async function usageOf(medium: Medium, journalSize: number): Promise<Usage> {
  const { superblock, geometry } = medium;
  const { blockSize, blockCount, blocksPerCluster, features } = geometry;
  const { freeBlocks, freeFiles } = await countFree(medium);
  const hasExtents = (features.incompatible & Incompatible.extent) !== 0;
  const clusters = Math.floor(blockCount / blocksPerCluster / RESERVED_CLUSTER_SHARE);
  const kept = hasExtents ? Math.min(clusters, RESERVED_CLUSTER_LIMIT) * blocksPerCluster : 0;
  const isWide = (features.incompatible & Incompatible["64bit"]) !== 0;
  const reserved =
    superblock.reservedBlockCountLow + (isWide ? superblock.reservedBlockCountHigh * 2 ** 32 : 0) + kept;
  return {
    blockSize,
    blocks: Math.max(0, blockCount - (await overhead(medium, journalSize))),
    freeBlocks,
    availableBlocks: Math.max(0, freeBlocks - reserved),
    files: geometry.inodeCount,
    freeFiles,
    maximumNameLength: NAME_LIMIT,
  };
}

async function countFree(medium: Medium): Promise<{ freeBlocks: number; freeFiles: number }> {
  const { superblock, geometry } = medium;
  if (geometry.groupCount > COUNTED_GROUP_LIMIT) {
    const freeBlocks = superblock.freeBlockCountLow + superblock.freeBlockCountHigh * 2 ** 32;
    return { freeBlocks: Math.min(freeBlocks, geometry.blockCount), freeFiles: superblock.freeInodeCount };
  }
  let freeClusters = 0;
  let freeFiles = 0;
  for (let index = 0; index < geometry.groupCount; index += geometry.descriptorsPerBlock) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const free = await readFree(medium, index); // copies of descriptors do not record what is free
    freeClusters += free.clusters;
    freeFiles += free.inodes;
  }
  return { freeBlocks: freeClusters * geometry.blocksPerCluster, freeFiles };
}

/**
 * Blocks that never hold contents. The superblock's own figure is used only if counting is hard: with clusters, or too many
 * groups.
 */
async function overhead({ superblock, geometry }: Medium, journalSize: number): Promise<number> {
  const { blockSize, blockCount, blocksPerCluster, groupCount, features } = geometry;
  const isClustered = (features.readOnlyCompatible & ReadOnlyCompatible.bigalloc) !== 0;
  const noted = superblock.overheadClusters;
  if (groupCount > COUNTED_GROUP_LIMIT) return noted * blocksPerCluster;
  if (isClustered && noted > 0 && noted <= blockCount) return noted * blocksPerCluster;
  let blocks = geometry.firstDataBlock;
  const tables = Math.ceil((geometry.inodesPerGroup * geometry.inodeSize) / blockSize);
  for (let group = 0; group < groupCount; group++) {
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    const hasCopy = hasSuperblock(superblock, geometry, group);
    blocks += descriptorBlocks({ superblock, geometry }, group, hasCopy) + tables + 2; // 2: the bitmaps
    if (hasCopy) blocks += 1 + superblock.reservedDescriptorBlocks;
  }
  const hasJournal = (features.compatible & Compatible.has_journal) !== 0;
  return blocks + (hasJournal ? Math.floor(journalSize / blockSize) : 0);
}

/** Blocks of descriptors, or of a copy of them, at the head of `group`. Source: fs/ext4/balloc.c, ext4_bg_num_gdb. */
export function descriptorBlocks(
  { superblock, geometry }: Pick<Medium, "superblock" | "geometry">,
  group: number,
  hasCopy: boolean,
): number {
  const { descriptorsPerBlock, groupCount, features } = geometry;
  const table = Math.floor(group / descriptorsPerBlock);
  const isMeta = (features.incompatible & Incompatible.meta_bg) !== 0;
  if (!isMeta || table < superblock.firstMetaGroup) {
    if (!hasCopy) return 0;
    return isMeta ? superblock.firstMetaGroup : Math.ceil(groupCount / descriptorsPerBlock);
  }
  const place = group % descriptorsPerBlock;
  return place <= 1 || place === descriptorsPerBlock - 1 ? 1 : 0;
}

/**
 * exFAT: Microsoft's file system for memory cards and large removable disks.
 *
 * The boot region (boot.ts, medium.ts) gives the geometry. Directories are files of slots (entry.ts), of which several
 * make an entry set (entryset.ts); a node's number is its set's place (node.ts). The root directory has the bitmap
 * and the up-case table as well (tables.ts, usage.ts). Clusters, chains and directories as in FAT: ../fat-common/.
 *
 * Specification: Microsoft exFAT specification (2019).
 *
 * Not done: deleted entries are not shown; access control lists of Windows CE and vendors' own entries are passed
 * over; of TexFAT, the FAT that is in use is read; volumes of more than 32 TiB are refused. Clusters that several
 * files have are found on volumes with at most 2^24 of them, 2^20 directory slots and 2^15 directories.
 */
import type { BlockSource } from "../../extent/extent.js";
import { foldBy } from "../fat-common/case.js";
import { clusterDirectory } from "../fat-common/directory.js";
import { clustersOf, nodeLimitOf, ROOT_ID } from "../fat-common/node.js";
import { clusterTree } from "../fat-common/tree.js";
import type { FileSystem, FileSystemDriver, FileSystemOptions } from "../filesystem.js";
import { claimParser } from "./claims.js";
import { entryParser } from "./entryset.js";
import { factsOf } from "./facts.js";
import { openMedium } from "./medium.js";
import { readNode, timesOf } from "./node.js";
import { findTables, reservedClaims, upCaseOf } from "./tables.js";
import { usageOf } from "./usage.js";

export const exfatDriver: FileSystemDriver = { name: "exfat", open };

async function open(volume: BlockSource, options: FileSystemOptions = {}): Promise<FileSystem | undefined> {
  const medium = await openMedium(volume, options);
  if (medium === undefined) return undefined;
  const { heap, boot } = medium;
  const root = await readNode(medium, ROOT_ID);
  const tables = await findTables(medium, clusterDirectory(heap, root, clustersOf(heap, root)));
  const { upCase, warning } = await upCaseOf(medium, tables);
  const tree = clusterTree({
    heap,
    fold: foldBy(upCase),
    newParser: () => entryParser(volume.name),
    newClaimParser: () => claimParser(heap),
    rootCluster: boot.rootCluster,
    readNode: (id) => readNode(medium, id),
    timesOf: (node) => timesOf(medium, node),
    usage: () => usageOf(medium, tables),
    reserved: reservedClaims(medium, tables),
  });
  return { ...tree, nodeLimit: nodeLimitOf(volume), facts: factsOf(medium, tables, warning) };
}

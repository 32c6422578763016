/**
 * FAT12, FAT16 and FAT32: the file systems of DOS, of Windows up to Me, of floppies, memory cards and EFI partitions.
 *
 * The boot sector (probe.ts, boot.ts, floppy.ts) gives the geometry and is checked against the rest (medium.ts).
 * Directories are files of slots (entry.ts), of which several make a name (names.ts, codepage.ts); a node's number is
 * its entry's place (node.ts). Clusters, chains and directories as exFAT has them, too: ../fat-common/.
 *
 * Specification: Microsoft FAT specification (2005), Microsoft Extensible Firmware Initiative FAT32 specification
 * (fatgen103, 2000); Linux's fs/fat/ of 6.12 where those are silent.
 *
 * Not done: deleted entries are not shown; extended attributes of OS/2 (EA DATA. SF), FAT+ and volumes compressed by
 * DoubleSpace are not read. Clusters that several files have are found on volumes with at most 2^24 of them, 2^20 directory slots and 2^15 directories.
 */
import { Builder } from "../../extent/builder.js";
import type { BlockSource } from "../../extent/extent.js";
import type { Run } from "../../extent/runs.js";
import { unicodeFold } from "../fat-common/case.js";
import { clusterDirectory, type Directory } from "../fat-common/directory.js";
import { addBytes } from "../fat-common/heap.js";
import { clustersOf, nodeLimitOf, ROOT_ID } from "../fat-common/node.js";
import { clusterTree } from "../fat-common/tree.js";
import type { FileSystem, FileSystemDriver, FileSystemOptions } from "../filesystem.js";
import { claimParser } from "./claims.js";
import { factsOf, findLabel } from "./facts.js";
import { openMedium, stateWarnings, type Medium } from "./medium.js";
import { entryParser } from "./names.js";
import { readNode, timesOf } from "./node.js";
import { usageOf } from "./usage.js";

export const fatDriver: FileSystemDriver = { name: "fat", open };

async function open(volume: BlockSource, options: FileSystemOptions = {}): Promise<FileSystem | undefined> {
  const medium = await openMedium(volume, options);
  if (medium === undefined) return undefined;
  const { heap, boot, page } = medium;
  const { root } = boot.geometry;
  const directory = await rootOf(medium);
  const tree = clusterTree({
    heap,
    fold: unicodeFold,
    newParser: () => entryParser(page),
    newClaimParser: () => claimParser(medium),
    readNode: (id) => readNode(medium, id),
    timesOf: (node) => timesOf(medium, node),
    usage: () => usageOf(medium),
    ...("cluster" in root ? { rootCluster: root.cluster } : { rootCluster: 0, fixedRoot: directory }),
  });
  const warnings = await stateWarnings(medium);
  return {
    ...tree,
    nodeLimit: nodeLimitOf(volume),
    facts: factsOf(medium, await findLabel(medium, directory), warnings),
  };
}

async function rootOf(medium: Medium): Promise<Directory> {
  const { heap, boot } = medium;
  const { root } = boot.geometry;
  if ("cluster" in root) {
    const node = await readNode(medium, ROOT_ID);
    return clusterDirectory(heap, node, clustersOf(heap, node));
  }
  return {
    id: ROOT_ID,
    reach: async () => ({ size: root.size }),
    async runs(offset, length) {
      const runs = new Builder<Run>();
      addBytes(runs, heap.volume, root.offset + offset, length, "the root directory");
      return runs.list;
    },
  };
}

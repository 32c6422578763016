/** What FAT and exFAT both store about a file or a directory. */
import type { BlockSource } from "../../extent/extent.js";
import type { NodeId } from "../filesystem.js";
import { chain, contiguous, type Allocation } from "./chain.js";
import { SLOT_SIZE } from "./directory.js";
import type { Heap } from "./heap.js";

/** The root's node number, which no entry has: it is the boot sector's second slot. Linux uses the same (MSDOS_ROOT_INO). */
export const ROOT_ID = 1;

/** The limit of node numbers on `volume`: all are lower. */
export function nodeLimitOf(volume: BlockSource): number {
  return Math.ceil(volume.size / SLOT_SIZE) + ROOT_ID;
}

/** A file or a directory. Its number is the position of its entry on the volume, in slots, except for the root. */
export interface ClusterNode {
  readonly id: NodeId;
  /** How error messages name it: "file at 0x4a20". */
  readonly of: string;
  readonly isDirectory: boolean;
  /** 0 if it has none. */
  readonly firstCluster: number;
  /** True if its clusters are consecutive and have no links. */
  readonly isContiguous: boolean;
  /** Bytes; undefined for a directory that is as long as its chain. */
  readonly size: number | undefined;
  /** Bytes that were written; the rest of the file is zeros. */
  readonly validSize: number;
  /** Byte of the volume at which its entry begins. */
  readonly entryOffset: number;
  /** The DOS attributes, one byte; absent for the root. */
  readonly dosAttributes?: number;
}

/** The maximum number of bytes read of a directory. Source: exFAT specification, section 7.4; a FAT's has 2 MiB at most. */
const LARGEST_DIRECTORY = 2 ** 28;

/** The clusters of `node`, including those that other files have, too. */
export function clustersOf(heap: Heap, { firstCluster, size, of, isContiguous }: ClusterNode): Allocation {
  const isOpenEnded = size === undefined;
  const wanted = Math.ceil((size ?? LARGEST_DIRECTORY) / heap.clusterSize);
  const start = { first: firstCluster, wanted, isOpenEnded, of };
  return isContiguous ? contiguous(heap, start) : chain(heap, start);
}

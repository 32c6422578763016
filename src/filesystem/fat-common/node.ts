/** What is known of a file or a directory, whichever of the file systems it is in. */
import type { BlockSource } from "../../extent/extent.js";
import type { NodeId } from "../filesystem.js";
import { chain, contiguous, type Allocation } from "./chain.js";
import { SLOT_SIZE } from "./directory.js";
import type { Heap } from "./heap.js";

/** The root's number: no entry lies in the second slot of the boot sector. Linux shows it, too (MSDOS_ROOT_INO). */
export const ROOT_ID = 1;

/** What the numbers of nodes on `volume` do not reach: that of the slot at its end. */
export function nodeLimitOf(volume: BlockSource): number {
  return Math.ceil(volume.size / SLOT_SIZE) + ROOT_ID;
}

/** A file or a directory. Its number is its entry's place in the volume, in slots, but for the root's. */
export interface ClusterNode {
  readonly id: NodeId;
  /** What complaints call it: "file at 0x4a20". */
  readonly of: string;
  readonly isDirectory: boolean;
  /** 0 where it has none. */
  readonly firstCluster: number;
  /** Whether its clusters follow each other, and have no links. */
  readonly isContiguous: boolean;
  /** Bytes; undefined of a directory that is as long as its chain. */
  readonly size: number | undefined;
  /** Bytes that were ever written; zeros follow. */
  readonly validSize: number;
  /** Byte of the volume where its entry lies. */
  readonly entryOffset: number;
  /** As DOS has them, in a byte; absent of the root. */
  readonly dosAttributes?: number;
}

/** Bytes of a directory that are read at most. Source: exFAT specification, section 7.4; a FAT's has 2 MiB at most. */
const LARGEST_DIRECTORY = 2 ** 28;

/** The clusters of `node`, whoever else may have them. */
export function clustersOf(heap: Heap, { firstCluster, size, of, isContiguous }: ClusterNode): Allocation {
  const isOpenEnded = size === undefined;
  const wanted = Math.ceil((size ?? LARGEST_DIRECTORY) / heap.clusterSize);
  const start = { first: firstCluster, wanted, isOpenEnded, of };
  return isContiguous ? contiguous(heap, start) : chain(heap, start);
}

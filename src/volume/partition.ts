/** What every kind of table comes down to: partitions, made into volumes that lie within the disk. */
import type { BlockSource } from "../extent/extent.js";
import { window } from "../extent/window.js";
import type { Volume } from "./volume.js";
import type { Warnings } from "./warnings.js";

/** A partition as its table describes it, not checked yet. */
export interface Partition extends Omit<Volume, "index" | "source" | "tableSize"> {
  /** Bytes by the table; the disk may end before. */
  readonly length: number;
  /** Absolute byte of the table's entry, for error messages. */
  readonly entryOffset: number;
}

/**
 * The volumes of `partitions`, in their order. A partition keeps its place in the count even where the disk is
 * cut short before it: `volN` is the same on the whole image and on the truncated one.
 */
export function toVolumes(
  disk: BlockSource,
  partitions: readonly Partition[],
  warnings: Warnings,
): readonly Volume[] {
  warnOfOverlaps(disk, partitions, warnings);
  return partitions.map(({ length, entryOffset, ...partition }, index) => {
    const offset = Math.min(partition.offset, disk.size);
    const size = Math.min(length, disk.size - offset);
    if (size < length) {
      warnings.add({
        file: disk.name,
        offset: entryOffset,
        thing: `the end of partition ${partition.number}`,
        found: `byte ${partition.offset + length}`,
        expected: `at most ${disk.size}, the disk's size`,
        hint: "what the disk has of it is shown",
      });
    }
    const source = window(disk, offset, size, `${disk.name} vol${index}`);
    return { ...partition, index, source, tableSize: length };
  });
}

function warnOfOverlaps(disk: BlockSource, partitions: readonly Partition[], warnings: Warnings): void {
  const byOffset = [...partitions].sort((a, b) => a.offset - b.offset);
  let reaching = byOffset[0];
  for (const partition of byOffset.slice(1)) {
    const end = reaching!.offset + reaching!.length;
    if (partition.offset < end) {
      warnings.add({
        file: disk.name,
        offset: partition.entryOffset,
        thing: `the start of partition ${partition.number}`,
        found: `byte ${partition.offset}`,
        expected: `at least ${end}, the end of partition ${reaching!.number}`,
      });
    }
    if (partition.offset + partition.length > end) reaching = partition;
  }
}

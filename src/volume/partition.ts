/** Makes the partitions of a table, whatever its kind, into volumes that lie within the disk. */
import type { BlockSource } from "../extent/extent.js";
import { window } from "../extent/window.js";
import type { Volume } from "./volume.js";
import type { Warnings } from "./warnings.js";

/** A partition as its table describes it. Nothing has been checked yet. */
export interface Partition extends Omit<Volume, "index" | "source" | "tableSize"> {
  /** Bytes according to the table; the disk may end before. */
  readonly length: number;
  /** Absolute byte of the table's entry, for error messages. */
  readonly entryOffset: number;
}

/**
 * Returns the volumes of `partitions`, in their order. A partition behind the disk's end is a volume, too, an empty one:
 * `volN` is the same in an image and in one that is cut short.
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

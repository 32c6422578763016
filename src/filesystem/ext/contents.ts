/** A file's contents as runs on the volume, whichever way the inode maps its blocks. */
import { addWithin, Builder } from "../../extent/builder.js";
import { memorySource, runSource, type Run } from "../../extent/runs.js";
import { append, type BlockSource } from "../../extent/extent.js";
import { CorruptError } from "../../errors.js";
import { mapByTable } from "./blockmap.js";
import { mapByExtents } from "./extents.js";
import { inlineData } from "./inline.js";
import { InodeFlag, type Inode } from "./inode.js";
import { OUTSIDE_METADATA, type BlockRange, type Medium } from "./medium.js";
import type { BlockRun } from "./runlist.js";

/** The contents of `inode` as a source; `name` is what error messages call it. */
export async function contentsOf(medium: Medium, inode: Inode): Promise<BlockSource> {
  const { size } = inode;
  const name = `${medium.volume.name} inode ${inode.number}`;
  if ((inode.flags & InodeFlag.inlineData) !== 0) return inlineSource(inlineData(medium, inode), size, name);
  return runSource(medium.volume, name, size, runsOf(medium, inode));
}

/** Where the contents of `inode` lie, for ranges of bytes; the range may pass the file's end by less than a block. */
export function runsOf(medium: Medium, inode: Inode): (offset: number, length: number) => Promise<Run[]> {
  const { blockSize } = medium.geometry;
  const map =
    (inode.flags & InodeFlag.extents) !== 0 ? mapByExtents(medium, inode) : mapByTable(medium, inode);
  return async (offset, length) => {
    if (length === 0) return [];
    const first = Math.floor(offset / blockSize);
    const runs = new Builder<Run>(offset - first * blockSize, length);
    for (const run of await map(first, Math.ceil((offset + length) / blockSize))) {
      const bytes = run.count * blockSize;
      if (run.kind === "at") {
        const { systemZone } = medium;
        const end = run.block + run.count;
        const system = systemZone.peek(run.block, end) ?? (await systemZone.load(run.block, end));
        const parts = apart(medium, run, inode.number, system);
        for (const part of parts) {
          if (part.kind === "at") addBlocks(runs, medium, part, inode.number);
          else runs.add({ kind: "damaged", length: part.count * blockSize, error: part.error });
        }
      } else if (run.kind === "zero") runs.add({ kind: "zero", length: bytes });
      else runs.add({ kind: "damaged", length: bytes, error: run.error });
    }
    return runs.list;
  };
}

/**
 * The parts of `run` outside of the ranges `system`, and as damaged those inside. Linux refuses the whole extent
 * (fs/ext4/extents.c, ext4_valid_extent) or, where the inode itself has it, the whole file: the rest may be sound.
 */
function apart(
  { volume }: Medium,
  run: StoredRun,
  inode: number,
  system: readonly BlockRange[],
): readonly (StoredRun | DamagedRun)[] {
  if (system.length === 0) return [run];
  const { pointer } = run;
  const parts: (StoredRun | DamagedRun)[] = [];
  let at = run.block;
  for (const { first, end } of system) {
    if (first > at) parts.push({ kind: "at", block: at, count: first - at, pointer });
    const error = new CorruptError({
      file: volume.name,
      offset: pointer,
      thing: `the place of blocks of inode ${inode}`,
      found: `${first} to ${end - 1}`,
      expected: OUTSIDE_METADATA,
    });
    parts.push({ kind: "damaged", count: end - first, error });
    at = end;
  }
  const rest = run.block + run.count - at;
  if (rest > 0) parts.push({ kind: "at", block: at, count: rest, pointer });
  return parts;
}

type StoredRun = BlockRun & { kind: "at" };
type DamagedRun = BlockRun & { kind: "damaged" };

/** Adds a run of blocks. Those outside the file system, or behind the end of a volume that is cut short, are damaged. */
function addBlocks(
  runs: Builder<Run>,
  { volume, geometry }: Medium,
  { block, count, pointer }: StoredRun,
  inode: number,
): void {
  const { blockSize, blockCount } = geometry;
  const firstBlock = geometry.firstDataBlock + 1;
  const thereCount = Math.floor(volume.size / blockSize);
  addWithin(
    runs,
    { kind: "at", offset: block * blockSize, length: count * blockSize },
    { start: firstBlock * blockSize, end: Math.min(blockCount, thereCount) * blockSize },
    (offset, length) => {
      const first = offset / blockSize;
      return new CorruptError({
        file: volume.name,
        offset: pointer,
        thing: `the place of blocks of inode ${inode}`,
        found: `${first} to ${first + length / blockSize - 1}`,
        expected:
          first >= thereCount && first < blockCount
            ? `within the ${volume.size} bytes that there are; the volume is cut short`
            : `between ${firstBlock} and ${blockCount - 1}`,
      });
    },
  );
}

/** Data from the inode itself; what the size has beyond it reads as zeros (ext4_readpage_inline). */
function inlineSource(data: Buffer, size: number, name: string): BlockSource {
  const held = memorySource(data.subarray(0, Math.min(data.length, size)), name);
  return {
    name,
    size,
    async map(offset, length) {
      const inside = Math.max(0, Math.min(length, held.size - offset));
      const extents = await held.map(offset, inside);
      append(extents, { kind: "zero", length: length - inside });
      return extents;
    },
  };
}

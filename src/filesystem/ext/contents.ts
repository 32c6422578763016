/** A file's contents as runs on the volume, whichever way the inode maps its blocks. */
import { memorySource, runSource, type Run } from "../../extent/runs.js";
import { append, type BlockSource } from "../../extent/extent.js";
import { CorruptError } from "../../errors.js";
import { mapByTable } from "./blockmap.js";
import { mapByExtents } from "./extents.js";
import { inlineData } from "./inline.js";
import { InodeFlag, type Inode } from "./inode.js";
import { holdsBlocks, type Medium } from "./medium.js";
import type { BlockRun } from "./runlist.js";

/** The contents of `inode` as a source; `name` is what complaints call it. */
export async function contentsOf(medium: Medium, inode: Inode): Promise<BlockSource> {
  const { size } = inode.attributes;
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
    const runs: Run[] = [];
    for (const run of await map(first, Math.ceil((offset + length) / blockSize))) {
      const bytes = run.count * blockSize;
      if (run.kind === "at") runs.push(...onVolume(medium, run, inode.number));
      else if (run.kind === "zero") runs.push({ kind: "zero", length: bytes });
      else runs.push({ kind: "damaged", length: bytes, error: run.error });
    }
    return trim(runs, offset - first * blockSize, length);
  };
}

/** A run of blocks in bytes; what leaves the file system, or the volume where that is cut short, is damaged. */
function onVolume(medium: Medium, run: BlockRun & { kind: "at" }, inode: number): Run[] {
  const { blockSize } = medium.geometry;
  const offset = run.block * blockSize;
  const length = run.count * blockSize;
  const isValid = holdsBlocks(medium, run.block, run.count);
  const there = isValid ? Math.max(0, Math.min(length, medium.volume.size - offset)) : 0;
  if (there === length) return [{ kind: "at", offset, length }];
  const error = new CorruptError({
    file: medium.volume.name,
    offset: run.pointer,
    thing: `what inode ${inode} has as its block`,
    found: `${run.block} to ${run.block + run.count - 1}`,
    expected: isValid
      ? `within the ${medium.volume.size} bytes that there are; the volume is cut short`
      : `between ${medium.geometry.firstDataBlock + 1} and ${medium.geometry.blockCount - 1}`,
  });
  const damaged: Run = { kind: "damaged", length: length - there, error };
  return there === 0 ? [damaged] : [{ kind: "at", offset, length: there }, damaged];
}

/** The part `[skip, skip + length)` of `runs`. */
function trim(runs: readonly Run[], skip: number, length: number): Run[] {
  const part: Run[] = [];
  let at = 0;
  for (const run of runs) {
    const from = Math.max(skip, at);
    const to = Math.min(skip + length, at + run.length);
    if (from < to)
      part.push(
        run.kind === "at"
          ? { ...run, offset: run.offset + from - at, length: to - from }
          : { ...run, length: to - from },
      );
    at += run.length;
  }
  return part;
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

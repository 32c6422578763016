/**
 * Block maps, as ext2 and ext3 have them: twelve pointers in the inode, then tables of pointers one, two and
 * three levels deep. A pointer of 0 is a hole, of one block, or of all blocks that its table would map.
 * Source: Documentation/filesystems/ext4/ifork.rst ("Direct/Indirect Block Addressing"); fs/ext4/indirect.c.
 */
import { CorruptError, DiskError } from "../../errors.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import { InodeRecord, type Inode } from "./inode.js";
import { holdsBlocks, refuseSystemBlock, type Medium } from "./medium.js";
import { RunList, type BlockMapper } from "./runlist.js";

const DIRECT_COUNT = 12;
const LEVELS = 3;
const POINTER_SIZE = 4;

/** Maps file blocks by the block map of `inode`. */
export function mapByTable(medium: Medium, inode: Inode): BlockMapper {
  const { blockSize } = medium.geometry;
  const fanOut = blockSize / POINTER_SIZE;
  const root = inode.record.block;
  const rootOffset = inode.offset + InodeRecord.fields.block.offset;

  /** Adds the blocks `[from, to)` of the table at `block`, whose first is file block `base`, or fewer if `runs` is full. */
  async function walk(table: Table, from: number, to: number, runs: RunList): Promise<void> {
    if (table.block === 0) {
      runs.zero(to - from);
      return;
    }
    let pointers: Buffer;
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    runs.tableCount++;
    try {
      if (!holdsBlocks(medium, table.block, 1)) throw outside(table);
      await refuseSystemBlock(
        medium,
        table.block,
        table.pointer,
        `a table of blocks of inode ${inode.number}`,
      );
      pointers = Buffer.from(await medium.metadata.read(table.block * blockSize, blockSize));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      runs.damaged(to - from, error);
      return;
    }
    const span = fanOut ** (table.level - 1); // file blocks an entry
    for (let at = from; at < to && (at === from || !runs.isFull);) {
      const index = Math.floor((at - table.base) / span);
      const base = table.base + index * span;
      const end = Math.min(to, base + span);
      const block = pointers.readUInt32LE(index * POINTER_SIZE);
      const pointer = table.block * blockSize + index * POINTER_SIZE;
      if (table.level === 1) runs.block(block, pointer);
      else await walk({ block, pointer, level: table.level - 1, base }, at, end, runs);
      at = end;
    }
  }

  function outside({ block, pointer }: Table): CorruptError {
    return new CorruptError({
      file: medium.volume.name,
      offset: pointer,
      thing: `the place of a table of blocks of inode ${inode.number}`,
      found: `block ${block}`,
      expected: `between ${medium.geometry.firstDataBlock + 1} and ${medium.geometry.blockCount - 1}`,
    });
  }

  return async (first, end) => {
    const runs = new RunList(medium, inode.number);
    let at = first;
    for (; at < Math.min(end, DIRECT_COUNT); at++) {
      runs.block(root.readUInt32LE(at * POINTER_SIZE), rootOffset + at * POINTER_SIZE);
    }
    let base = DIRECT_COUNT;
    for (let level = 1; level <= LEVELS && at < end && !runs.isFull; level++) {
      const next = base + fanOut ** level;
      const to = Math.min(end, next);
      const skip = (DIRECT_COUNT + level - 1) * POINTER_SIZE;
      if (at < to) {
        await walk({ block: root.readUInt32LE(skip), pointer: rootOffset + skip, level, base }, at, to, runs);
        at = to;
      }
      base = next;
    }
    if (at < end && !runs.isFull) {
      const found = `${inode.size} bytes`;
      const thing = `the size of inode ${inode.number}`;
      const expected = `at most the ${base} blocks that a block map reaches`;
      runs.damaged(
        end - at,
        new CorruptError({ file: medium.volume.name, offset: inode.offset, thing, found, expected }),
      );
    }
    return runs.runs;
  };
}

/** A table of pointers: its block, the absolute byte of the pointer to it, its level, the first file block that it maps. */
interface Table {
  readonly block: number;
  readonly pointer: number;
  readonly level: number;
  readonly base: number;
}

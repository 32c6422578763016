/**
 * Extent trees, as ext4 has them: nodes of twelve-byte records, sorted by file block; the root lies in the
 * inode. Source: Documentation/filesystems/ext4/ifork.rst ("Extent Tree"); fs/ext4/ext4_extents.h, extents.c.
 */
import { firstIndex } from "../../bytes/integers.js";
import { crc32c } from "../../bytes/checksum.js";
import { struct, u16le, u32le } from "../../bytes/struct.js";
import { CorruptError, DiskError } from "../../errors.js";
import { yieldIfDue } from "../../extent/time-slice.js";
import { InodeRecord, type Inode } from "./inode.js";
import { checksumError, holdsBlocks, refuseSystemBlock, type Medium } from "./medium.js";
import { RunList, type BlockMapper } from "./runlist.js";

export const ExtentHeader = struct("extent header", 12, {
  magic: u16le(0),
  entryCount: u16le(2),
  entryLimit: u16le(4), // eh_max
  depth: u16le(6), // 0: a leaf
});

export const ExtentLeaf = struct("extent", 12, {
  fileBlock: u32le(0),
  length: u16le(4), // past 32768: that many less, allocated but never written
  startHigh: u16le(6),
  startLow: u32le(8),
});

export const ExtentIndex = struct("extent index", 12, {
  fileBlock: u32le(0),
  childLow: u32le(4),
  childHigh: u16le(8),
});

const MAGIC = 0xf30a;
const RECORD_SIZE = 12;
/** Source: ext4_extents.h, EXT4_MAX_EXTENT_DEPTH: five levels of the smallest nodes hold 2^32 blocks. */
const MAX_DEPTH = 5;
/** Source: ext4_extents.h, EXT_INIT_MAX_LEN. */
const MAX_WRITTEN_LENGTH = 32768;
/** Files have 32-bit block numbers. */
const FILE_BLOCK_LIMIT = 2 ** 32;

/** A node whose records are in order and within its part of the file. */
interface Node {
  readonly bytes: Buffer;
  /** Absolute byte of the node. */
  readonly offset: number;
  readonly count: number;
  readonly depth: number;
}

/** The file blocks `[first, end)`. */
interface Range {
  readonly first: number;
  readonly end: number;
}

/**
 * Maps file blocks by the extent tree of `inode`.
 * @throws {CorruptError} if the tree's root, in the inode, is damaged.
 */
export function mapByExtents(medium: Medium, inode: Inode): BlockMapper {
  const file = medium.volume.name;
  const whole = { first: 0, end: FILE_BLOCK_LIMIT };
  const rootOffset = inode.offset + InodeRecord.fields.block.offset;
  const root = checkNode(inode.record.block, rootOffset, undefined, whole, file);

  /** Adds the runs of `wanted`, which `node` maps, or only the first of them if `runs` is full. */
  async function walk(node: Node, limit: number, wanted: Range, runs: RunList): Promise<void> {
    let at = wanted.first;
    for (let index = Math.max(0, lastBefore(node, at)); index < node.count && at < wanted.end; index++) {
      const begin = fileBlock(node, index);
      const next = index + 1 < node.count ? fileBlock(node, index + 1) : limit;
      if (begin > at) {
        const hole = Math.min(begin, wanted.end) - at;
        runs.zero(hole);
        at += hole;
        if (at === wanted.end) return;
      }
      const offset = node.offset + (index + 1) * RECORD_SIZE;
      if (node.depth === 0) {
        const { length, isWritten, start } = leafAt(node, index);
        const end = Math.min(begin + length, wanted.end);
        if (end <= at) continue;
        if (isWritten) runs.at(start + at - begin, end - at, offset);
        else runs.zero(end - at);
        at = end;
      } else {
        const part = { first: at, end: Math.min(next, wanted.end) };
        if (part.end <= at) continue;
        await descend(node, index, { first: begin, end: next }, part, runs);
        at = part.end;
        if (runs.isFull) return; // `runs` may be full before `part` ends
      }
    }
    runs.zero(wanted.end - at);
  }

  async function descend(
    parent: Node,
    index: number,
    range: Range,
    wanted: Range,
    runs: RunList,
  ): Promise<void> {
    let child: Node;
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
    runs.tableCount++;
    try {
      child = await childAt(parent, index, range);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      runs.damaged(wanted.end - wanted.first, error);
      return;
    }
    await walk(child, range.end, wanted, runs);
  }

  async function childAt(parent: Node, index: number, range: Range): Promise<Node> {
    const view = ExtentIndex.view(parent.bytes, (index + 1) * RECORD_SIZE);
    const block = view.childLow + view.childHigh * 2 ** 32;
    const { blockSize } = medium.geometry;
    const depth = parent.depth - 1;
    const known = medium.checked.get(block * blockSize);
    if (known?.inode === inode.number && known.first === range.first && known.depth === depth)
      return nodeIn(known.bytes, block * blockSize);
    if (!holdsBlocks(medium, block, 1)) {
      throw new CorruptError({
        file,
        offset: parent.offset + (index + 1) * RECORD_SIZE,
        thing: `an extent block of inode ${inode.number}`,
        found: `block ${block}`,
        expected: `between ${medium.geometry.firstDataBlock + 1} and ${medium.geometry.blockCount - 1}`,
      });
    }
    const pointer = parent.offset + (index + 1) * RECORD_SIZE;
    await refuseSystemBlock(medium, block, pointer, `an extent block of inode ${inode.number}`);
    const offset = block * blockSize;
    const bytes = Buffer.from(await medium.metadata.read(offset, blockSize));
    const node = checkNode(bytes, offset, depth, range, file);
    if (medium.geometry.checksummed && !checksumFits(bytes, inode.seed)) {
      throw checksumError(medium, offset, `an extent block of inode ${inode.number}`);
    }
    medium.checked.set(offset, { inode: inode.number, first: range.first, depth, bytes });
    return node;
  }

  return async (first, end) => {
    const runs = new RunList(medium, inode.number);
    const reach = Math.max(first, Math.min(end, FILE_BLOCK_LIMIT));
    await walk(root, FILE_BLOCK_LIMIT, { first, end: reach }, runs);
    if (reach < end && !runs.isFull) {
      const thing = `the size of inode ${inode.number}`;
      const found = `${inode.size} bytes`;
      runs.damaged(
        end - reach,
        new CorruptError({ file, offset: inode.offset, thing, found, expected: "at most 2^32 blocks" }),
      );
    }
    return runs.runs;
  };
}

/** The node in `bytes`, which maps `range`. `depth` is undefined for the root, which may have any. */
function checkNode(
  bytes: Buffer,
  offset: number,
  depth: number | undefined,
  range: Range,
  file: string,
): Node {
  const header = ExtentHeader.view(bytes, 0, file, offset);
  const refuse = (at: number, thing: string, found: string | number, expected: string): never => {
    throw new CorruptError({ file, offset: offset + at, thing, found, expected });
  };
  const { fields } = ExtentHeader;
  if (header.magic !== MAGIC)
    refuse(0, "the extent header's magic", `0x${header.magic.toString(16)}`, "0xf30a");
  if (header.depth !== (depth ?? header.depth) || header.depth > MAX_DEPTH)
    refuse(
      fields.depth.offset,
      "the extent node's depth",
      header.depth,
      String(depth ?? `at most ${MAX_DEPTH}`),
    );
  const room = Math.floor(bytes.length / RECORD_SIZE) - 1;
  if (header.entryLimit > room)
    refuse(fields.entryLimit.offset, "the extent node's limit", header.entryLimit, `at most ${room}`);
  if (header.entryCount > header.entryLimit)
    refuse(
      fields.entryCount.offset,
      "the extent node's count",
      header.entryCount,
      `at most ${header.entryLimit}`,
    );
  const node = nodeIn(bytes, offset);
  if (node.depth > 0 && node.count === 0)
    refuse(fields.entryCount.offset, "the extent node's count", 0, "at least 1 in an index");

  let free = range.first; // the first file block that no record before this one has
  for (let index = 0; index < node.count; index++) {
    const begin = fileBlock(node, index);
    const length = node.depth === 0 ? leafAt(node, index).length : 1;
    if (begin < free || length === 0 || begin + length > range.end) {
      const expected = `in order and within blocks ${range.first} to ${range.end - 1}`;
      refuse((index + 1) * RECORD_SIZE, "an extent", `${length} blocks from ${begin}`, expected);
    }
    free = begin + length;
  }
  return node;
}

function nodeIn(bytes: Buffer, offset: number): Node {
  const { entryCount, depth } = ExtentHeader.view(bytes);
  return { bytes, offset, count: entryCount, depth };
}

function leafAt({ bytes }: Node, index: number): { length: number; isWritten: boolean; start: number } {
  const view = ExtentLeaf.view(bytes, (index + 1) * RECORD_SIZE);
  const isWritten = view.length <= MAX_WRITTEN_LENGTH;
  return {
    length: isWritten ? view.length : view.length - MAX_WRITTEN_LENGTH,
    isWritten,
    start: view.startLow + view.startHigh * 2 ** 32,
  };
}

function fileBlock({ bytes }: Node, index: number): number {
  return bytes.readUInt32LE((index + 1) * RECORD_SIZE);
}

/** The last record that begins at or before file block `block`; -1 where all begin after it. */
function lastBefore(node: Node, block: number): number {
  return firstIndex(node.count, (index) => fileBlock(node, index) > block) - 1;
}

/** The checksum lies behind the space for the last record. Source: extents.c, ext4_extent_block_csum. */
function checksumFits(bytes: Buffer, seed: number): boolean {
  const end = (ExtentHeader.view(bytes).entryLimit + 1) * RECORD_SIZE;
  return end + 4 <= bytes.length && crc32c(seed, bytes.subarray(0, end)) === bytes.readUInt32LE(end);
}

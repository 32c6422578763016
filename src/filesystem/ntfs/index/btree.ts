/** An index as a whole: its root in the file's record, its blocks, and the bitmap of those in use. */
import { viewOf } from "../../../bytes/struct.js";
import { CorruptError, DiskError } from "../../../errors.js";
import type { BlockSource } from "../../../extent/extent.js";
import { read } from "../../../extent/read.js";
import { yieldIfDue, type StopSignal } from "../../../extent/time-slice.js";
import { residentValue, Type } from "../mft/attribute.js";
import { contentsOf } from "../data/contents.js";
import { findAttribute } from "../mft/file.js";
import { applyFixups, misfitError } from "../mft/fixup.js";
import type { Medium, NtfsFile } from "../medium.js";
import { BLOCK_MAGIC, IndexBlock, IndexRoot, nodeAt, type IndexNode } from "./node.js";

export interface Index {
  readonly root: IndexNode;
  /** Bytes of a block. */
  readonly blockSize: number;
  /** Block `number`, counted from 0. @throws {DiskError} where it is damaged. */
  block(number: number): Promise<IndexNode>;
  /** The number of the block at `vcn`. @throws {CorruptError} where there is none. */
  numberOf(vcn: number): number;
  /** Whether the bitmap has the block as in use; at once where its neighbours were asked for before. */
  isInUse(number: number): boolean | Promise<boolean>;
  /**
   * The blocks in use from `number` on, in order, some at a time. They are not cached for look-ups.
   * @param most how many are read at once at most.
   * @throws {Interrupted} once `signal` is aborted.
   */
  blocksFrom(number: number, most?: number, signal?: StopSignal): AsyncGenerator<BlockRow>;
}

/** Blocks that lie one behind the other, the first of which is `number`; those that are damaged with what is wrong. */
export interface BlockRow {
  readonly number: number;
  readonly nodes: readonly (IndexNode | DiskError)[];
}

/** Bytes of blocks that are read at once when all of them are wanted. */
const READ_AHEAD = 64 * 2 ** 10;

/** Bytes of a bitmap that are held at a time. */
const BITMAP_CHUNK = 4096;

/** Blocks have been seen from 512 bytes to 64 KiB; Windows makes them of 4 KiB. */
const BLOCK_SIZE_LIMIT = 64 * 2 ** 10;

/** VCNs of an index count clusters, or where a block is smaller than one, these. Source: ntfs-3g index.c. */
const SMALL_UNIT = 512;

/** Keys of blocks: each index that is opened has a range of them for its own. */
const KEY_RANGE = 2 ** 28;
let indexCount = 0;

/** The index `name` of `file`; undefined where it has none. */
export async function openIndex(medium: Medium, file: NtfsFile, name: string): Promise<Index | undefined> {
  const rootAttribute = await findAttribute(medium, file, Type.indexRoot, name);
  if (rootAttribute === undefined) return undefined;
  const { volume, geometry, blocks } = medium;
  const owner = `index "${name}" of file ${file.record.number}`;
  const complain = (thing: string, found: string | number, expected: string): CorruptError =>
    new CorruptError({
      file: volume.name,
      offset: rootAttribute.first.record.offset,
      thing,
      found,
      expected,
    });
  if (!rootAttribute.first.isResident)
    throw complain(`the root of ${owner}`, "in clusters", "in the file's record");
  const value = Buffer.from(residentValue(rootAttribute.first, volume.name));
  const { blockSize } = IndexRoot.view(value, 0, `${volume.name}, ${owner}`);
  const root = nodeAt(value, IndexRoot.size, volume.name, `the root of ${owner}`);

  const allocation = await sourceOf(medium, file, Type.indexAllocation, name);
  const isSize =
    Number.isInteger(Math.log2(blockSize)) && blockSize >= SMALL_UNIT && blockSize <= BLOCK_SIZE_LIMIT;
  if (allocation !== undefined && !isSize)
    throw complain(
      `the block size of ${owner}`,
      blockSize,
      `a power of two from ${SMALL_UNIT} to ${BLOCK_SIZE_LIMIT}`,
    );
  // No index has holes, so none is larger than its volume.
  const blockCount = Math.floor(Math.min(allocation?.size ?? 0, volume.size) / blockSize);
  const unit = blockSize >= geometry.clusterSize ? geometry.clusterSize : SMALL_UNIT;
  const firstKey = indexCount++ * KEY_RANGE;
  let bitmap: BlockSource | undefined;
  let chunk: Bits | undefined;

  function parse(bytes: Buffer, number: number): IndexNode {
    const what = `block ${number} of ${owner}`;
    const { magic, vcn } = IndexBlock.view(bytes);
    if (magic !== BLOCK_MAGIC) throw complain(`the magic of ${what}`, `0x${magic.toString(16)}`, '"INDX"');
    const misfit = applyFixups(viewOf(bytes), 0, bytes.length, geometry.sectorSize);
    if (misfit !== undefined) throw misfitError(misfit, volume.name, undefined, what);
    if (vcn !== (number * blockSize) / unit)
      throw complain(`the number of ${what}`, vcn, `${(number * blockSize) / unit}`);
    return nodeAt(bytes, IndexBlock.size, volume.name, what);
  }

  async function block(number: number): Promise<IndexNode> {
    const known = blocks.get(firstKey + number);
    if (known !== undefined) return known;
    const node = parse(await read(allocation!, number * blockSize, blockSize), number);
    if (number < KEY_RANGE) blocks.set(firstKey + number, node);
    return node;
  }

  /** The part of the bitmap that tells of block `number`. */
  function bitsAt(number: number): Bits | Promise<Bits> {
    const start = number - (number % (BITMAP_CHUNK * 8));
    return chunk?.start === start ? chunk : readBits(start);
  }

  async function readBits(start: number): Promise<Bits> {
    bitmap ??= await sourceOf(medium, file, Type.bitmap, name);
    if (bitmap === undefined) throw complain(`the bitmap of ${owner}`, "not there", "there");
    const at = start / 8;
    const length = Math.min(BITMAP_CHUNK, bitmap.size - at);
    const bytes = length > 0 ? await read(bitmap, at, length) : Buffer.alloc(0);
    chunk = { start, bytes };
    return chunk;
  }

  function isInUse(number: number): boolean | Promise<boolean> {
    const bits = bitsAt(number);
    return bits instanceof Promise ? bits.then((read) => isSet(read, number)) : isSet(bits, number);
  }

  /** The blocks from `number` on, of which there are `count`, in one request where that can be. */
  async function readBlocks(number: number, count: number): Promise<(IndexNode | DiskError)[]> {
    let bytes: Buffer | undefined;
    try {
      bytes = await read(allocation!, number * blockSize, count * blockSize);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error; // each by itself, then
    }
    const nodes: (IndexNode | DiskError)[] = [];
    for (let i = 0; i < count; i++) {
      try {
        const part = bytes?.subarray(i * blockSize, (i + 1) * blockSize);
        nodes.push(part === undefined ? await block(number + i) : parse(part, number + i));
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        nodes.push(error);
      }
    }
    return nodes;
  }

  return {
    root,
    blockSize,
    block,
    isInUse,
    numberOf(vcn) {
      const number = (vcn * unit) / blockSize;
      if (Number.isInteger(number) && number < blockCount) return number;
      throw complain(`a child in ${owner}`, `at ${vcn}`, `the place of one of its ${blockCount} blocks`);
    },
    async *blocksFrom(number, most = Math.max(1, READ_AHEAD / blockSize), signal) {
      for (let at = number; at < blockCount;) {
        const turn = yieldIfDue(signal);
        if (turn !== undefined) await turn;
        const found = bitsAt(at);
        const bits = found instanceof Promise ? await found : found;
        if (bits.bytes.length === 0) return; // the bitmap has ended, and no block behind it is in use
        if (!isSet(bits, at)) {
          at = nextInUse(bits, at);
          continue;
        }
        const end = Math.min(at + most, blockCount, bits.start + BITMAP_CHUNK * 8);
        let count = 1;
        while (at + count < end && isSet(bits, at + count)) count++;
        yield { number: at, nodes: await readBlocks(at, count) };
        at += count;
      }
    },
  };
}

/** A part of a bitmap, from the bit `start` on. */
interface Bits {
  readonly start: number;
  readonly bytes: Buffer;
}

function isSet({ start, bytes }: Bits, number: number): boolean {
  return ((bytes[(number - start) >>> 3] ?? 0) & (1 << (number & 7))) !== 0;
}

/** The next block from `number` on whose bit is set in a part of the bitmap, or the first that it tells nothing of. */
function nextInUse({ start, bytes }: Bits, number: number): number {
  const end = start + BITMAP_CHUNK * 8;
  for (let at = number; at < end;) {
    const byte = bytes[(at - start) >>> 3] ?? 0;
    if (byte >>> (at & 7) === 0) at += 8 - (at & 7);
    else if ((byte & (1 << (at & 7))) !== 0) return at;
    else at++;
  }
  return end;
}

async function sourceOf(
  medium: Medium,
  file: NtfsFile,
  type: number,
  name: string,
): Promise<BlockSource | undefined> {
  const attribute = await findAttribute(medium, file, type, name);
  return attribute && contentsOf(medium, attribute);
}

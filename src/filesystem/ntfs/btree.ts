/** An index as a whole: its root in the file's record, its blocks, and the bitmap of those in use. */
import { viewOf } from "../../bytes/struct.js";
import { CorruptError, DiskError } from "../../errors.js";
import type { BlockSource } from "../../extent/extent.js";
import { read } from "../../extent/read.js";
import { residentValue, Type } from "./attribute.js";
import { contentsOf } from "./contents.js";
import { findAttribute } from "./file.js";
import { applyFixups, misfitError } from "./fixup.js";
import type { Medium, NtfsFile } from "./medium.js";
import { BLOCK_MAGIC, IndexBlock, IndexRoot, nodeAt, type IndexNode } from "./node.js";

export interface Index {
  readonly root: IndexNode;
  /** Bytes of a block. */
  readonly blockSize: number;
  /** Block `number`, counted from 0. @throws {DiskError} where it is damaged. */
  block(number: number): Promise<IndexNode>;
  /** The number of the block at `vcn`. @throws {CorruptError} where there is none. */
  numberOf(vcn: number): number;
  /** Whether the bitmap has the block as in use. */
  isInUse(number: number): Promise<boolean>;
  /** The blocks in use from `number` on, in order; those that are damaged with what is wrong. */
  blocksFrom(
    number: number,
  ): AsyncGenerator<{ readonly number: number; readonly node: IndexNode | DiskError }>;
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
  let chunk: { readonly start: number; readonly bytes: Buffer } | undefined;

  function parse(bytes: Buffer, number: number): IndexNode {
    const what = `block ${number} of ${owner}`;
    const { magic, vcn } = IndexBlock.view(bytes);
    if (magic !== BLOCK_MAGIC) throw complain(`the magic of ${what}`, `0x${magic.toString(16)}`, '"INDX"');
    const misfit = applyFixups(viewOf(bytes), 0, bytes.length, geometry.sectorSize);
    if (misfit !== undefined) throw misfitError(misfit, volume.name, undefined, what);
    if (vcn !== (number * blockSize) / unit)
      throw complain(`the number of ${what}`, vcn, `${(number * blockSize) / unit}`);
    const node = nodeAt(bytes, IndexBlock.size, volume.name, what);
    if (number < KEY_RANGE) blocks.set(firstKey + number, node);
    return node;
  }

  async function block(number: number): Promise<IndexNode> {
    const known = blocks.get(firstKey + number);
    return known ?? parse(await read(allocation!, number * blockSize, blockSize), number);
  }

  /** The part of the bitmap that tells of block `number`, from the bit `start` on. */
  async function bitsAt(number: number): Promise<{ readonly start: number; readonly bytes: Buffer }> {
    const start = number - (number % (BITMAP_CHUNK * 8));
    if (chunk?.start === start) return chunk;
    bitmap ??= await sourceOf(medium, file, Type.bitmap, name);
    if (bitmap === undefined) throw complain(`the bitmap of ${owner}`, "not there", "there");
    const at = start / 8;
    const bytes = await read(bitmap, at, Math.max(0, Math.min(BITMAP_CHUNK, bitmap.size - at)));
    chunk = { start, bytes };
    return chunk;
  }

  async function isInUse(number: number): Promise<boolean> {
    const { start, bytes } = await bitsAt(number);
    return ((bytes[(number - start) >>> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }

  /** The blocks from `number` on, of which there are `count`, in one request where that can be. */
  async function readBlocks(number: number, count: number): Promise<(IndexNode | DiskError)[]> {
    const attempt = async (make: () => IndexNode | Promise<IndexNode>): Promise<IndexNode | DiskError> => {
      try {
        return await make();
      } catch (error) {
        if (error instanceof DiskError) return error;
        throw error;
      }
    };
    const known = Array.from({ length: count }, (_, i) => blocks.get(firstKey + number + i));
    if (known.every((node) => node !== undefined)) return known;
    let bytes: Buffer | undefined;
    try {
      bytes = await read(allocation!, number * blockSize, count * blockSize);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error; // each by itself, then
    }
    const nodes: (IndexNode | DiskError)[] = [];
    for (let i = 0; i < count; i++) {
      const part = bytes?.subarray(i * blockSize, (i + 1) * blockSize);
      nodes.push(
        known[i] ??
          (await attempt(() =>
            part === undefined ? block(number + i) : parse(Buffer.from(part), number + i),
          )),
      );
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
    async *blocksFrom(number) {
      const most = Math.max(1, READ_AHEAD / blockSize);
      for (let at = number; at < blockCount;) {
        if (!(await isInUse(at))) {
          at = nextInUse(await bitsAt(at), at);
          continue;
        }
        let count = 1;
        while (count < most && at + count < blockCount && (await isInUse(at + count))) count++;
        const nodes = await readBlocks(at, count);
        for (let i = 0; i < count; i++) yield { number: at + i, node: nodes[i]! };
        at += count;
      }
    },
  };
}

/** The next block from `number` on whose bit is set in a part of the bitmap, or the first that it tells nothing of. */
function nextInUse({ start, bytes }: { start: number; bytes: Buffer }, number: number): number {
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

/** An index (a B-tree) as a whole: its root in the file's record, its blocks, and the bitmap of those in use. */
import { viewOf } from "../../../bytes/struct.js";
import { CorruptError, DiskError } from "../../../errors.js";
import type { BlockSource } from "../../../extent/extent.js";
import { read } from "../../../extent/read.js";
import type { StopSignal } from "../../../extent/time-slice.js";
import { residentValue, Type } from "../mft/attribute.js";
import { contentsOf } from "../data/contents.js";
import { findAttribute, type Attribute } from "../mft/file.js";
import { applyFixups, misfitError } from "../mft/fixup.js";
import type { Medium, NtfsFile } from "../medium.js";
import { BlockBitmap } from "./block-bitmap.js";
import { BLOCK_MAGIC, IndexBlock, IndexRoot, nodeAt, type IndexNode } from "./node.js";

/** Adjacent blocks, the first of which is `number`; in the place of a damaged one its error. */
export interface BlockRow {
  readonly number: number;
  readonly nodes: readonly (IndexNode | DiskError)[];
}

/** Bytes of blocks that are read at once when all of them are needed. */
const READ_AHEAD = 64 * 2 ** 10;

/** Blocks have been seen from 512 bytes to 64 KiB; Windows makes them of 4 KiB. */
const BLOCK_SIZE_LIMIT = 64 * 2 ** 10;

/** VCNs of an index count clusters, or if a block is smaller than a cluster, units of this size. Source: ntfs-3g index.c. */
const SMALL_UNIT = 512;

/** Keys of blocks in the cache: each index that is opened has a range of its own. */
const KEY_RANGE = 2 ** 28;
let indexCount = 0;

/** The index `name` of `file`; undefined if it has none. */
export async function openIndex(medium: Medium, file: NtfsFile, name: string): Promise<Index | undefined> {
  const attribute = await findAttribute(medium, file, Type.indexRoot, name);
  if (attribute === undefined) return undefined;
  const place = new IndexPlace(medium, file, name, attribute);
  const { root, blockSize } = place.readRoot();
  const allocation = await place.contents(Type.indexAllocation);
  if (allocation !== undefined) place.checkBlockSize(blockSize);
  const bitmap = new BlockBitmap(() => place.bitmap());
  return new Index(place, root, blockSize, allocation, bitmap);
}

/** Which index of which file it is: for its attributes, and for error messages. */
class IndexPlace {
  readonly medium: Medium;
  /** The index as messages name it. */
  readonly title: string;
  readonly #file: NtfsFile;
  readonly #name: string;
  readonly #root: Attribute;

  constructor(medium: Medium, file: NtfsFile, name: string, root: Attribute) {
    this.medium = medium;
    this.title = `index "${name}" of file ${file.record.number}`;
    this.#file = file;
    this.#name = name;
    this.#root = root;
  }

  error(thing: string, found: string | number, expected: string): CorruptError {
    const { offset } = this.#root.first.record;
    return new CorruptError({ file: this.medium.volume.name, offset, thing, found, expected });
  }

  /** The root, and the size of the blocks below it. */
  readRoot(): { root: IndexNode; blockSize: number } {
    const volume = this.medium.volume.name;
    const { first } = this.#root;
    if (!first.isResident)
      throw this.error(`the root of ${this.title}`, "in clusters", "in the file's record");
    const value = Buffer.from(residentValue(first, volume));
    const { blockSize } = IndexRoot.view(value, 0, `${volume}, ${this.title}`);
    return { root: nodeAt(value, IndexRoot.size, volume, `the root of ${this.title}`), blockSize };
  }

  checkBlockSize(size: number): void {
    if (Number.isInteger(Math.log2(size)) && size >= SMALL_UNIT && size <= BLOCK_SIZE_LIMIT) return;
    const expected = `a power of two from ${SMALL_UNIT} to ${BLOCK_SIZE_LIMIT}`;
    throw this.error(`the block size of ${this.title}`, size, expected);
  }

  /** The contents of the index's attribute of `type`; undefined if it has none. */
  async contents(type: number): Promise<BlockSource | undefined> {
    const attribute = await findAttribute(this.medium, this.#file, type, this.#name);
    return attribute && contentsOf(this.medium, attribute);
  }

  async bitmap(): Promise<BlockSource> {
    const bitmap = await this.contents(Type.bitmap);
    if (bitmap === undefined) throw this.error(`the bitmap of ${this.title}`, "not there", "there");
    return bitmap;
  }
}

export class Index {
  readonly root: IndexNode;
  /** Bytes of a block. */
  readonly blockSize: number;
  /** Which blocks are in use. */
  readonly bitmap: BlockBitmap;
  readonly #place: IndexPlace;
  readonly #allocation: BlockSource | undefined;
  readonly #blockCount: number;
  /** Bytes of a unit of VCNs. */
  readonly #unit: number;
  readonly #firstKey = indexCount++ * KEY_RANGE;

  constructor(
    place: IndexPlace,
    root: IndexNode,
    blockSize: number,
    allocation: BlockSource | undefined,
    bitmap: BlockBitmap,
  ) {
    const { volume, geometry } = place.medium;
    this.root = root;
    this.blockSize = blockSize;
    this.bitmap = bitmap;
    this.#place = place;
    this.#allocation = allocation;
    // No index has holes, so none is larger than its volume.
    this.#blockCount = Math.floor(Math.min(allocation?.size ?? 0, volume.size) / blockSize);
    this.#unit = blockSize >= geometry.clusterSize ? geometry.clusterSize : SMALL_UNIT;
  }

  /** The number of the block at `vcn`, counted from 0. @throws {CorruptError} if there is none. */
  numberOf(vcn: number): number {
    const number = (vcn * this.#unit) / this.blockSize;
    if (Number.isInteger(number) && number < this.#blockCount) return number;
    const expected = `the place of one of its ${this.#blockCount} blocks`;
    throw this.#place.error(`a child in ${this.#place.title}`, `at ${vcn}`, expected);
  }

  /** Block `number`, which is cached. @throws {DiskError} if it is damaged. */
  async block(number: number): Promise<IndexNode> {
    const { blocks } = this.#place.medium;
    const known = blocks.get(this.#firstKey + number);
    if (known !== undefined) return known;
    const node = this.#parse(await this.#read(number, 1), number);
    if (number < KEY_RANGE) blocks.set(this.#firstKey + number, node);
    return node;
  }

  /**
   * The blocks in use from `number` on, in order, some at a time. They are not cached for look-ups.
   * @param most how many are read at once at most.
   * @throws {Interrupted} once `signal` is aborted.
   */
  async *blocksFrom(
    number: number,
    most = Math.max(1, READ_AHEAD / this.blockSize),
    signal?: StopSignal,
  ): AsyncGenerator<BlockRow, void, void> {
    for (let at = number; ;) {
      const run = await this.bitmap.nextRun(at, this.#blockCount, most, signal);
      if (run === undefined) return;
      yield { number: run.first, nodes: await this.#readBlocks(run.first, run.count) };
      at = run.first + run.count;
    }
  }

  async #read(number: number, count: number): Promise<Buffer> {
    return read(this.#allocation!, number * this.blockSize, count * this.blockSize);
  }

  /** The `count` blocks from `number` on: in one request, or if that fails, one by one. */
  async #readBlocks(number: number, count: number): Promise<(IndexNode | DiskError)[]> {
    const bytes = await this.#read(number, count).catch((error: unknown) => {
      if (error instanceof DiskError) return undefined;
      throw error;
    });
    const nodes: (IndexNode | DiskError)[] = [];
    for (let i = 0; i < count; i++) {
      try {
        const part = bytes?.subarray(i * this.blockSize, (i + 1) * this.blockSize);
        nodes.push(part ? this.#parse(part, number + i) : await this.block(number + i));
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        nodes.push(error);
      }
    }
    return nodes;
  }

  /** Block `number` out of its bytes, to which this applies the fixups. */
  #parse(bytes: Buffer, number: number): IndexNode {
    const { volume, geometry } = this.#place.medium;
    const title = `block ${number} of ${this.#place.title}`;
    const { magic, vcn } = IndexBlock.view(bytes);
    if (magic !== BLOCK_MAGIC)
      throw this.#place.error(`the magic of ${title}`, `0x${magic.toString(16)}`, '"INDX"');
    const misfit = applyFixups(viewOf(bytes), 0, bytes.length, geometry.sectorSize);
    if (misfit !== undefined) throw misfitError(misfit, volume.name, undefined, title);
    const expected = (number * this.blockSize) / this.#unit;
    if (vcn !== expected) throw this.#place.error(`the number of ${title}`, vcn, `${expected}`);
    return nodeAt(bytes, IndexBlock.size, volume.name, title);
  }
}

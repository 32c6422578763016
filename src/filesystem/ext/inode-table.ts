/** The inode tables: where an inode lies, and its bytes. */
import { CorruptError, DiskError } from "../../errors.js";
import { loadingCache } from "../../extent/loading.js";
import { throwIfAborted, yieldIfDue, type StopSignal } from "../../extent/time-slice.js";
import { groupOf, inodeOffset, readGroup, type Group } from "./group.js";
import type { Medium } from "./medium.js";
import { sweepInodes } from "./sweep.js";

/** Group descriptors that are cached. */
const GROUP_CACHE_COUNT = 2 ** 12;

/** An inode as it is on the volume. */
export interface RawInode {
  /** The whole inode. Borrowed until the next read. */
  readonly bytes: Buffer;
  /** Absolute byte of its first byte. */
  readonly offset: number;
}

/** The bytes of some inodes, by their index among those that were requested. */
export interface InodeBytes {
  /** Borrowed; undefined if the inode was not read. */
  of(index: number): Buffer | undefined;
}

export interface InodeTable {
  /** Inode `number`. @throws {CorruptError} if the file system has no inode of this number. */
  read(number: number): Promise<RawInode>;
  /**
   * Inodes `numbers[0]` to `numbers[count - 1]`. What cannot be read is left out: reading that inode alone throws the error.
   * @param isMany whether they are so many that they are read in the order of the volume, past the cache.
   * @throws {Interrupted} once `signal` is aborted.
   */
  readAll(
    numbers: ArrayLike<number>,
    count: number,
    isMany: boolean,
    signal?: StopSignal,
  ): Promise<InodeBytes>;
}

export function inodeTableOf(medium: Medium): InodeTable {
  const { inodeSize, inodeCount } = medium.geometry;
  const groups = loadingCache<number, Group>(
    GROUP_CACHE_COUNT,
    () => 1,
    (index) => readGroup(medium, index),
  );

  async function offsetOf(number: number): Promise<number> {
    const index = groupOf(medium, number);
    return inodeOffset(medium, number, groups.peek(index) ?? (await groups.load(index, undefined)));
  }

  /** The bytes of inode `number`, if they are cached. */
  function peek(number: number): Buffer | undefined {
    const group = groups.peek(groupOf(medium, number));
    return group && medium.metadata.peek(inodeOffset(medium, number, group), inodeSize);
  }

  /** The bytes of inodes by way of the cache, which has most of them: the inodes of a directory are adjacent. */
  async function readCached(
    numbers: ArrayLike<number>,
    count: number,
    signal?: StopSignal,
  ): Promise<InodeBytes> {
    const bytes = Buffer.allocUnsafe(count * inodeSize);
    const isRead = new Uint8Array(count);
    let misses = 0;
    throwIfAborted(signal);
    for (let index = 0; index < count; index++) {
      const number = numbers[index]!;
      if (number < 1 || number > inodeCount) continue;
      try {
        let one = peek(number);
        if (one === undefined) {
          // Not before the first read: most pages need only one, and a turn would delay it.
          const turn = misses++ > 0 ? yieldIfDue(signal) : undefined;
          if (turn !== undefined) await turn;
          one = await medium.metadata.read(await offsetOf(number), inodeSize);
        }
        bytes.set(one, index * inodeSize);
        isRead[index] = 1;
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
      }
    }
    return inodeBytes(bytes, isRead, inodeSize);
  }

  return {
    async read(number) {
      if (!Number.isInteger(number) || number < 1 || number > inodeCount)
        throw numberError(medium, number, `from 1 to ${inodeCount}`);
      const offset = await offsetOf(number);
      return { bytes: await medium.metadata.read(offset, inodeSize), offset };
    },
    async readAll(numbers, count, isMany, signal) {
      if (!isMany) return readCached(numbers, count, signal);
      const bytes = Buffer.allocUnsafe(count * inodeSize);
      const isRead = await sweepInodes(medium, offsetOf, numbers, count, bytes, signal);
      return inodeBytes(bytes, isRead, inodeSize);
    },
  };
}

/** The inodes in `bytes`, as far as `isRead` is 1 for them. */
function inodeBytes(bytes: Buffer, isRead: Uint8Array, inodeSize: number): InodeBytes {
  return {
    of: (index) =>
      isRead[index] === 1 ? bytes.subarray(index * inodeSize, (index + 1) * inodeSize) : undefined,
  };
}

/** The error for inode `number`, which a directory names, but must not. */
export function numberError({ volume }: Medium, number: number, expected: string): CorruptError {
  return new CorruptError({
    file: volume.name,
    thing: "the inode number in a directory entry",
    found: number,
    expected,
  });
}

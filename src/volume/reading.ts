/** Reading where nothing is certain: not the disk's end, not that a sector can be had. */
import { DiskError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { read } from "../extent/read.js";

/**
 * `length` bytes from `offset`, or `undefined` where the disk ends before them.
 * @throws {DiskError} where the bytes cannot be had.
 */
export async function readWithin(
  disk: BlockSource,
  offset: number,
  length: number,
): Promise<Buffer | undefined> {
  return offset < 0 || offset + length > disk.size ? undefined : read(disk, offset, length);
}

/** What `promise` gives, or the DiskError that it ends in: a damaged copy is a reason to look at the next. */
export async function outcome<T>(promise: Promise<T>): Promise<T | DiskError> {
  return promise.catch((error: unknown) => {
    if (error instanceof DiskError) return error;
    throw error;
  });
}

/** The bytes where there is nothing to complain about: of a place that is looked at only to decide what it is. */
export async function peek(disk: BlockSource, offset: number, length: number): Promise<Buffer | undefined> {
  const bytes = await outcome(readWithin(disk, offset, length));
  return bytes instanceof DiskError ? undefined : bytes;
}

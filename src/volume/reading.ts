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

/** Reads that may fail, because they lie behind the disk's end or in sectors that cannot be read. */
import { DiskError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { read } from "../extent/read.js";

/**
 * Returns `length` bytes from `offset`; undefined if the disk ends before that.
 * @throws {DiskError} if the bytes cannot be read.
 */
export async function readWithin(
  disk: BlockSource,
  offset: number,
  length: number,
): Promise<Buffer | undefined> {
  return offset < 0 || offset + length > disk.size ? undefined : read(disk, offset, length);
}

/** Returns the result of `promise`, or its DiskError as a value. The caller can go on with another copy. */
export async function outcome<T>(promise: Promise<T>): Promise<T | DiskError> {
  return promise.catch((error: unknown) => {
    if (error instanceof DiskError) return error;
    throw error;
  });
}

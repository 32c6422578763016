/** Reads that may fail: beyond the disk's end, or at unreadable sectors. */
import { DiskError } from "../errors.js";
import type { BlockSource } from "../extent/extent.js";
import { read } from "../extent/read.js";

/**
 * `length` bytes from `offset`, or `undefined` where the disk ends before them.
 * @throws {DiskError} where the bytes cannot be read.
 */
export async function readWithin(
  disk: BlockSource,
  offset: number,
  length: number,
): Promise<Buffer | undefined> {
  return offset < 0 || offset + length > disk.size ? undefined : read(disk, offset, length);
}

/** The result of `promise`, or its DiskError as a value: if a copy is damaged, the next one is read. */
export async function outcome<T>(promise: Promise<T>): Promise<T | DiskError> {
  return promise.catch((error: unknown) => {
    if (error instanceof DiskError) return error;
    throw error;
  });
}

/** Reads for signatures: what cannot be read has none. */
import { DiskError } from "../errors.js";
import type { BlockSource } from "./extent.js";
import { read } from "./read.js";

/** Returns `length` bytes from `offset`, or undefined where they lie outside the source or cannot be read. */
export async function peek(source: BlockSource, offset: number, length: number): Promise<Buffer | undefined> {
  if (offset < 0 || offset + length > source.size) return undefined;
  try {
    return await read(source, offset, length);
  } catch (error) {
    if (error instanceof DiskError) return undefined;
    throw error;
  }
}

/**
 * The checksum of VHD's footer and dynamic header: the ones' complement of the sum of all bytes, without those of the
 * checksum itself. Source: VHD specification 1.0, "Checksum".
 */
import { readU32be } from "../../bytes/struct.js";

const CHECKSUM_SIZE = 4;

/** Returns whether the checksum at `at` of `bytes`, a whole structure, is that of its bytes. */
export function hasRightChecksum(bytes: Buffer, at: number): boolean {
  return readU32be(bytes, at) === checksumOf(bytes, at);
}

/** Returns the checksum that `bytes`, a whole structure with its checksum at `at`, should have. */
export function checksumOf(bytes: Buffer, at: number): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  for (const byte of bytes.subarray(at, at + CHECKSUM_SIZE)) sum -= byte;
  return ~sum >>> 0;
}

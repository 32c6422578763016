/**
 * DEFLATE without a header (RFC 1951), by Node's zlib, which decompresses off the main thread. QCOW2 and VMDK compress their
 * clusters and grains with it.
 */
import { promisify } from "node:util";
import { inflateRaw } from "node:zlib";
import { damaged, type Place } from "./damage.js";

const inflate = promisify(inflateRaw);

/** Bytes that zlib decompresses at a time: its default of 16 KiB takes many steps for a cluster of 2 MiB. */
const LEAST_STEP = 64;
const LONGEST_STEP = 256 * 2 ** 10;

/**
 * Decompresses `packed` to `size` bytes. Bytes behind the end of the compressed data are not looked at: formats pad it
 * to whole sectors. Memory is bounded by `size`, whatever `packed` expands to.
 * @throws {CorruptError} when `packed` is damaged, or does not have exactly `size` bytes when decompressed.
 */
export async function unpackDeflate(
  packed: Uint8Array,
  size: number,
  place: Place = { file: "DEFLATE data" },
): Promise<Buffer> {
  const chunkSize = Math.max(LEAST_STEP, Math.min(size, LONGEST_STEP));
  let bytes: Buffer;
  try {
    bytes = await inflate(packed, { maxOutputLength: Math.max(size, 1), chunkSize });
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    if (error.code === "ERR_BUFFER_TOO_LARGE")
      throw damaged(place, "DEFLATE data", 0, `more than ${size} bytes`, `${size} when decompressed`);
    if (!ZLIB_ERRORS.has(error.code)) throw error;
    throw damaged(place, "DEFLATE data", 0, `damaged (${error.message})`, "readable");
  }
  if (bytes.length !== size)
    throw damaged(place, "DEFLATE data", 0, `${bytes.length} bytes`, `${size} when decompressed`);
  return bytes;
}

/** What zlib says of damaged input. Other errors are bugs, or a lack of memory. Source: zlib.h. */
const ZLIB_ERRORS = new Set<unknown>(["Z_DATA_ERROR", "Z_BUF_ERROR", "Z_NEED_DICT"]);

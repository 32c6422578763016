/**
 * Decodes LZX as CompactOS uses it for files of NTFS, in chunks of 32 KiB. It is the LZX of WIM files: that of cabinets
 * ([MS-PATCH] 2, without the parts for deltas), but each chunk is independent, nothing precedes its first block, a block's size
 * has 16 bits, and calls are translated in every chunk.
 *
 *   chunk     blocks; when all are decompressed, the targets of calls are translated back
 *   block     3 bits: its kind; its size (a 1 for 32 KiB, or a 0 and 16 bits); codes; symbols
 *   symbol    below 256: a literal byte. Otherwise a match: bits 0 to 2 are its length - 2, or 7 if a symbol of the length code
 *             follows. The bits above are a slot: 0 to 2 stand for the last three distances, the others for ranges of distances,
 *             the wider the higher the slot; the bits that follow are the place of the distance + 2 within the range
 *   aligned   blocks have a third code, for the lowest three of those bits
 *   stored    blocks have the three last distances and then bytes, from the next word on
 */
import { peek, toBitOrder } from "./bits.js";
import { damaged, endsEarly, type Place } from "./damage.js";
import { translateCalls } from "./lzx-calls.js";
import { forgetCodes, readCodes } from "./lzx-codes.js";
import { recent, unpackSymbols } from "./lzx-symbols.js";
import { load, output, outputView, unload } from "./scratch.js";

/** Bytes of the window, and of the largest chunk when decompressed. */
const WINDOW_SIZE = 32768;

/** Bytes of the three last distances in a stored block. */
const RECENT_SIZE = 12;

/** The kinds of blocks. */
const VERBATIM = 1;
const ALIGNED = 2;
const STORED = 3;

const NOWHERE: Place = { file: "LZX data" };

/**
 * Decompresses the chunk `packed` to `size` bytes, 32 KiB at most. (A chunk of which both lengths are the same is stored without
 * compression, and must not be passed.) The buffer is the caller's own.
 * @throws {CorruptError} when `packed` is damaged, or ends early.
 */
export function unpackLzx(packed: Uint8Array, size: number, place: Place = NOWHERE): Buffer {
  if (size > WINDOW_SIZE) throw new Error(`LZX chunks have no ${size} bytes`);
  load(packed, size, "LZX", place);
  toBitOrder(packed.length);
  forgetCodes();
  recent.fill(1);
  const end = (packed.length >>> 1) * 16;
  let bit = 0;
  for (let to = 0; to < size;) {
    const kind = peek(bit) >>> 29;
    const isDefault = peek(bit + 3) < 0;
    const blockSize = isDefault ? WINDOW_SIZE : peek(bit + 4) >>> 16;
    if (kind < VERBATIM || kind > STORED) {
      throw damaged(place, "LZX block's kind", bit >>> 3, String(kind), "1, 2 or 3");
    }
    if (blockSize === 0 || blockSize > size - to) {
      throw damaged(place, "LZX block's size", bit >>> 3, String(blockSize), `from 1 to ${size - to}`);
    }
    bit += isDefault ? 4 : 20;
    if (kind === STORED) {
      bit = copyStored(packed, bit, to, blockSize, place);
    } else {
      bit = readCodes(bit, end, kind === ALIGNED, place);
      bit = unpackSymbols(bit, end, to, to + blockSize, kind === ALIGNED, place);
    }
    to += blockSize;
  }
  translateCalls(outputView, size);
  return unload(size);
}

/** Copies a stored block. Returns the first bit behind it. */
function copyStored(packed: Uint8Array, bit: number, to: number, size: number, place: Place): number {
  // At least one bit and at most sixteen are skipped: up to the end of the word with the next bit.
  const at = ((bit >>> 4) + 1) * 2;
  const start = at + RECENT_SIZE;
  if (start + size > packed.length) throw endsEarly(place, "LZX", packed.length);
  const header = new DataView(packed.buffer, packed.byteOffset + at, RECENT_SIZE);
  for (let index = 0; index < recent.length; index++) recent[index] = header.getInt32(4 * index, true);
  output.set(packed.subarray(start, start + size), to);
  return (start + size + (size & 1)) * 8;
}

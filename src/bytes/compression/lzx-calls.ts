/**
 * Machine code of the x86 calls one function from many places, each time by another distance. LZX packs it with
 * such distances made absolute, so that the same calls are the same bytes. Source: [MS-PATCH] 2.1.2 (E8 call
 * translation), for WIM files with one size of a file for all, and each chunk for itself.
 */

/** The operation "call", before 32 bits of distance. */
const CALL = 0xe8;

/** The calls' targets are taken to be in a file of this size, whatever its size is. */
const FILE_SIZE = 12_000_000;

/** The last bytes of a chunk are left alone. */
const LEFT_ALONE = 10;

/** Four bytes with CALL, with the lowest and with the highest bit of each byte. */
const CALLS = 0xe8e8e8e8 | 0;
const LOWEST = 0x01010101;
const HIGHEST = 0x80808080 | 0;

/** Makes the calls' targets distances again, in the first `size` bytes of `view`. */
export function translateCalls(view: DataView, size: number): void {
  const end = size - LEFT_ALONE;
  for (let at = 0; at < end;) {
    if (view.getUint8(at) !== CALL) {
      // Most bytes are none: four at once, by the well-known test for a byte of zero in a word.
      const others = view.getInt32(at, true) ^ CALLS;
      at += ((others - LOWEST) & ~others & HIGHEST) === 0 ? 4 : 1;
      continue;
    }
    const target = view.getInt32(at + 1, true);
    if (target >= -at && target < FILE_SIZE) {
      view.setInt32(at + 1, target >= 0 ? target - at : target + FILE_SIZE, true);
    }
    at += 5;
  }
}

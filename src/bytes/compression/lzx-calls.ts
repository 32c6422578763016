/**
 * Call instructions of x86 contain the distance to their target, so that two calls of one function differ. Before it
 * compresses, LZX replaces the distance by the target's position, which makes them equal. Source: [MS-PATCH] 2.1.2 (E8 call
 * translation). In WIM files the size of the file is a constant, and each chunk is translated by itself.
 */

/** The opcode of a call, in front of 32 bits of distance. */
const CALL = 0xe8;

/** The size of the file in which targets lie, by definition. */
const FILE_SIZE = 12_000_000;

/** Calls in the last bytes of a chunk are not translated. */
const LEFT_ALONE = 10;

/** Four bytes with CALL, with the lowest and with the highest bit of each byte. */
const CALLS = 0xe8e8e8e8 | 0;
const LOWEST = 0x01010101;
const HIGHEST = 0x80808080 | 0;

/** Replaces the targets of calls by distances in the first `size` bytes of `view`. */
export function translateCalls(view: DataView, size: number): void {
  const end = size - LEFT_ALONE;
  for (let at = 0; at < end;) {
    if (view.getUint8(at) !== CALL) {
      // Few bytes are an opcode: four are tested at once, by the well-known test for a zero byte in a word.
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

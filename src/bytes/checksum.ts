/** Checksums that on-disk formats use. CRC-32 (GPT and others) is `zlib.crc32`. */

/**
 * CRC-32C (Castagnoli), reflected, polynomial 0x1EDC6F41, eight bytes at a time. Table k has, for each value of a byte,
 * its contribution to the checksum if k more bytes follow it ("slicing-by-8"; Kounavis and Berry, ISCC 2005).
 */
const [T0, T1, T2, T3, T4, T5, T6, T7] = slicingTables(0x82f63b78);

/** CRC-16 (ARC), reflected, polynomial 0x8005. */
const CRC16_TABLE = reflectedTable(0xa001);

/**
 * CRC-32C of `bytes`, or of those in `[from, to)`, continued from `seed`. Neither the seed nor the result is inverted, as in
 * ext4's `crc32c_le` and its stored checksums.
 */
export function crc32c(seed: number, bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = seed | 0;
  let i = from;
  for (const last = to - 8; i <= last; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      T7[crc & 0xff]! ^
      T6[(crc >>> 8) & 0xff]! ^
      T5[(crc >>> 16) & 0xff]! ^
      T4[crc >>> 24]! ^
      T3[bytes[i + 4]!]! ^
      T2[bytes[i + 5]!]! ^
      T1[bytes[i + 6]!]! ^
      T0[bytes[i + 7]!]!;
  }
  for (; i < to; i++) crc = T0[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return crc >>> 0;
}

/** `crc32c` of the four little-endian bytes of `value`. */
export function crc32cOfWord(seed: number, value: number): number {
  const crc = seed ^ value;
  return (T3[crc & 0xff]! ^ T2[(crc >>> 8) & 0xff]! ^ T1[(crc >>> 16) & 0xff]! ^ T0[crc >>> 24]!) >>> 0;
}

/** CRC-16 of `bytes`, continued from `seed`; not inverted, as in ext4's `crc16`. */
export function crc16(seed: number, bytes: Uint8Array): number {
  let crc = seed & 0xffff;
  for (let i = 0; i < bytes.length; i++) crc = CRC16_TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return crc;
}

type Table = Int32Array;

function slicingTables(polynomial: number): [Table, Table, Table, Table, Table, Table, Table, Table] {
  const first = reflectedTable(polynomial);
  const tables = [first];
  while (tables.length < 8) tables.push(tables.at(-1)!.map((crc) => first[crc & 0xff]! ^ (crc >>> 8)));
  return tables as ReturnType<typeof slicingTables>;
}

/** The contribution of each value of a byte to a checksum; signed, so that V8 keeps the values as small integers. */
function reflectedTable(polynomial: number): Table {
  return Int32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    return value;
  });
}

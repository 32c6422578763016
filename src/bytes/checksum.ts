/** Checksums that on-disk formats use. CRC-32 (GPT and others) is `zlib.crc32`. */

/** CRC-32C (Castagnoli), reflected, polynomial 0x1EDC6F41: table-driven, a byte at a time. */
const CRC32C_TABLE = reflectedTable(0x82f63b78);

/** CRC-16 (ARC), reflected, polynomial 0x8005. */
const CRC16_TABLE = reflectedTable(0xa001);

/**
 * CRC-32C of `bytes`, or of those in `[from, to)`, carried on from `seed`. Neither the seed nor the result is inverted here: that is how
 * ext4's `crc32c_le` and its stored checksums have it.
 */
export function crc32c(seed: number, bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = seed >>> 0;
  for (let i = from; i < to; i++) crc = CRC32C_TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return crc >>> 0;
}

/** CRC-16 of `bytes`, carried on from `seed`, not inverted, as ext4's `crc16`. */
export function crc16(seed: number, bytes: Uint8Array): number {
  let crc = seed & 0xffff;
  for (let i = 0; i < bytes.length; i++) crc = CRC16_TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return crc;
}

function reflectedTable(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    return value;
  });
}

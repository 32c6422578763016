/** Values that a field of a structure is set to: ends of ranges, powers of two and their neighbours. */
import type { Random } from "./random.js";

/** Bytes of the longest field that is taken for a number. */
const LONGEST_NUMBER = 8;

/** `length` bytes in place of `old`, which are as many. */
export function interestingBytes(random: Random, old: Buffer): Buffer {
  const { length } = old;
  if (length > LONGEST_NUMBER) return interestingText(random, old);
  const bits = BigInt(8 * length);
  const value = read(old);
  return write(BigInt.asUintN(8 * length, interestingNumber(random, value, bits)), length);
}

function interestingNumber(random: Random, value: bigint, bits: bigint): bigint {
  const power = 1n << BigInt(random.below(Number(bits)));
  switch (random.below(12)) {
    case 0:
      return 0n;
    case 1:
      return -1n;
    case 2:
      return (1n << (bits - 1n)) - BigInt(random.below(2));
    case 3:
      return value + 1n;
    case 4:
      return value - 1n;
    case 5:
      return value ^ power;
    case 6:
      return power;
    case 7:
      return power - 1n;
    case 8:
      return value * 2n;
    case 9:
      return value / 2n;
    case 10:
      return value + BigInt(random.below(64)) - 32n;
    default:
      return BigInt(random.word()) * (random.oneIn(2) ? 1n : BigInt(random.word()));
  }
}

function interestingText(random: Random, old: Buffer): Buffer {
  const bytes = Buffer.from(old);
  switch (random.below(4)) {
    case 0:
      return bytes.fill(0);
    case 1:
      return bytes.fill(0xff);
    case 2:
      bytes[random.below(bytes.length)] = random.word();
      return bytes;
    default:
      return random.bytes(bytes.length);
  }
}

function read(bytes: Buffer): bigint {
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at]!);
  return value;
}

function write(value: bigint, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++, value >>= 8n) bytes[at] = Number(value & 0xffn);
  return bytes;
}

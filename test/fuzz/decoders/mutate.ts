/** Changes to bytes of which nothing is known: what libFuzzer and others do. */
import { interestingBytes } from "../interesting.js";
import type { Random } from "../random.js";

/** Bytes of the longest input. */
const LONGEST = 2048;

/** `data` changed in one to some ways; `other` gives parts of itself. */
export function mutateBytes(data: Buffer, other: Buffer, random: Random): Buffer {
  let bytes = data;
  do bytes = change(bytes, other, random);
  while (!random.oneIn(3));
  return bytes.length > LONGEST ? bytes.subarray(0, LONGEST) : bytes;
}

function change(data: Buffer, other: Buffer, random: Random): Buffer {
  const at = random.below(data.length + 1);
  switch (random.below(8)) {
    case 0:
      return Buffer.concat([data.subarray(0, at), random.bytes(1 + random.below(16)), data.subarray(at)]);
    case 1:
      return Buffer.concat([data.subarray(0, at), data.subarray(at + 1 + random.below(32))]);
    case 2: {
      const from = random.below(other.length);
      return Buffer.concat([
        data.subarray(0, at),
        other.subarray(from, from + 1 + random.below(64)),
        data.subarray(at),
      ]);
    }
    case 3:
      return data.subarray(0, at);
    case 4: {
      const bytes = Buffer.from(data);
      if (bytes.length > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      return bytes;
    }
    default: {
      const length = random.pick([1, 1, 2, 4, 8]);
      const place = random.below(data.length / length) * length;
      if (place + length > data.length) return random.bytes(1 + random.below(64));
      const bytes = Buffer.from(data);
      interestingBytes(random, bytes.subarray(place, place + length)).copy(bytes, place);
      return bytes;
    }
  }
}

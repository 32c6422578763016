/** What is answered. A reply is one buffer with room for its header in front, so that it is written in one go. */

/** Bytes of `fuse_out_header`. */
export const HEADER_SIZE = 16;

/** A reply with a body of `size` zero bytes, which `body` gives. */
export function reply(size: number): Buffer {
  return Buffer.allocUnsafe(HEADER_SIZE + size).fill(0); // small ones from Node's pool, unlike Buffer.alloc's
}

/** The body of a reply, borrowed. */
export function body(reply: Buffer): Buffer {
  return reply.subarray(HEADER_SIZE);
}

/** A reply that holds `bytes`. */
export function replyWith(bytes: Uint8Array): Buffer {
  const filled = Buffer.allocUnsafe(HEADER_SIZE + bytes.length);
  filled.set(bytes, HEADER_SIZE);
  return filled;
}

/** Writes the header: `unique` names the request, `errno` is positive, 0 where all is well. */
export function seal(reply: Buffer, unique: Uint8Array, errno = 0): Buffer {
  reply.writeUInt32LE(reply.length, 0);
  reply.writeInt32LE(-errno, 4);
  reply.set(unique, 8);
  return reply;
}

/** Writes `value`, a whole number of either sign, as a 64-bit word. */
export function writeI64le(bytes: Buffer, value: number, at: number): void {
  const high = Math.floor(value / 2 ** 32);
  bytes.writeUInt32LE(value - high * 2 ** 32, at);
  bytes.writeInt32LE(high, at + 4);
}

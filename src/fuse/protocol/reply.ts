/** What is answered. A reply is one buffer with room for its header in front, so that it is written in one go. */

/** Bytes of `fuse_out_header`. */
export const HEADER_SIZE = 16;

/** A reply with a body of `size` zero bytes, which `body` gives. */
export function reply(size: number): Buffer {
  return Buffer.allocUnsafe(HEADER_SIZE + size).fill(0); // small ones from Node's pool, unlike Buffer.alloc's
}

/** The body of a reply, for words to be written into. */
export function body(reply: Buffer): DataView {
  return new DataView(reply.buffer, reply.byteOffset + HEADER_SIZE, reply.length - HEADER_SIZE);
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

// Words go through a DataView: to an engine each is one store, where Buffer's methods are calls with checks.

export function writeU16le(out: DataView, value: number, at: number): void {
  out.setUint16(at, value, true);
}

export function writeU32le(out: DataView, value: number, at: number): void {
  out.setUint32(at, value, true);
}

/** Writes `value`, a whole number of either sign, as a 64-bit word. */
export function writeI64le(out: DataView, value: number, at: number): void {
  out.setUint32(at, value, true); // the lower half: what is beyond 32 bits falls away
  out.setInt32(at + 4, Math.floor(value / 2 ** 32), true);
}

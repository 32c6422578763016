/** Replies. A reply is one buffer that begins with space for its header, so that one write(2) sends it. */

/** Bytes of `fuse_out_header`. */
export const HEADER_SIZE = 16;

/** Creates a reply whose body is `size` bytes, all zero. */
export function reply(size: number): Buffer {
  return Buffer.allocUnsafe(HEADER_SIZE + size).fill(0); // small ones come from Node's pool, unlike those of Buffer.alloc
}

/** The body of a reply. */
export function body(reply: Buffer): DataView {
  return new DataView(reply.buffer, reply.byteOffset + HEADER_SIZE, reply.length - HEADER_SIZE);
}

/** Creates a reply whose body is `bytes`. */
export function replyWith(bytes: Uint8Array): Buffer {
  const filled = Buffer.allocUnsafe(HEADER_SIZE + bytes.length);
  filled.set(bytes, HEADER_SIZE);
  return filled;
}

/** Writes the header. `unique` identifies the request; `errno` is positive, or 0 for success. */
export function seal(reply: Buffer, unique: Uint8Array, errno = 0): Buffer {
  reply.writeUInt32LE(reply.length, 0);
  reply.writeInt32LE(-errno, 4);
  reply.set(unique, 8);
  return reply;
}

// A DataView is used because V8 compiles its methods to one store each; those of Buffer are calls with checks.

export function writeU16le(out: DataView, value: number, at: number): void {
  out.setUint16(at, value, true);
}

export function writeU32le(out: DataView, value: number, at: number): void {
  out.setUint32(at, value, true);
}

/** Writes `value`, an integer, as a signed 64-bit word. */
export function writeI64le(out: DataView, value: number, at: number): void {
  out.setUint32(at, value, true); // the lower half: setUint32 ignores higher bits
  out.setInt32(at + 4, Math.floor(value / 2 ** 32), true);
}

/**
 * A pool of large buffers. The page faults of a new buffer of a megabyte take longer than copying the megabyte, and V8
 * collects its whole heap after some dozens of such buffers.
 */

/**
 * Returns a copy of `bytes` that has its own memory, for caches. Node's small buffers share a block of memory, which stays
 * allocated as long as one of them exists.
 */
export function ownCopy(bytes: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}

/** Smaller buffers are not pooled: Node.js has a pool of its own for them. */
const SMALL = 32 * 2 ** 10;

export class BufferPool {
  readonly #size: number;
  readonly #kept: number;
  readonly #free: Buffer[] = [];

  /** Keeps at most `kept` buffers of `size` bytes each. */
  constructor(size: number, kept: number) {
    this.#size = size;
    this.#kept = kept;
  }

  /** Returns a buffer of `length` bytes with arbitrary contents: a pooled one, if `length` is at most the pool's size. */
  take(length: number): Buffer {
    if (length < SMALL || length > this.#size) return Buffer.allocUnsafe(length);
    const whole = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#size);
    return whole.subarray(0, length);
  }

  /** Returns a buffer from `take` to the pool; nothing may use it afterwards. Ignores any other buffer. */
  give({ buffer }: Buffer): void {
    if (buffer.byteLength !== this.#size || this.#free.length >= this.#kept) return;
    this.#free.push(Buffer.from(buffer));
  }
}

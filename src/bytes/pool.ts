/**
 * Large buffers, used again: fresh megabytes cost more in page faults than their bytes do in copying, and V8 looks for
 * garbage all over its heap each time that some dozens of them have come and gone.
 */

/**
 * A copy of `bytes` with memory of its own, to be kept: Node's small buffers share theirs, all of which stays for as
 * long as one of them is kept.
 */
export function ownCopy(bytes: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}

/** Less than this comes from Node's own pool or heap. */
const SMALL = 32 * 2 ** 10;

export class BufferPool {
  readonly #size: number;
  readonly #kept: number;
  readonly #free: Buffer[] = [];

  /** Keeps up to `kept` buffers of `size` bytes each, for what needs no more. */
  constructor(size: number, kept: number) {
    this.#size = size;
    this.#kept = kept;
  }

  /** A buffer of `length` bytes, of any content. */
  take(length: number): Buffer {
    if (length < SMALL || length > this.#size) return Buffer.allocUnsafe(length);
    const whole = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#size);
    return whole.subarray(0, length);
  }

  /** Takes back what `take` gave, once nothing will write to it any more. Any other buffer is let go. */
  give({ buffer }: Buffer): void {
    if (buffer.byteLength !== this.#size || this.#free.length >= this.#kept) return;
    this.#free.push(Buffer.from(buffer));
  }
}

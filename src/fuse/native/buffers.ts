/** Buffers for reads, used again: fresh megabytes cost more in page faults than their bytes do in copying. */
import { HEADER_SIZE } from "../protocol/reply.js";
import { MAX_READ } from "../protocol/init.js";

/** Reads below this are taken from Node's own pool or heap. */
const SMALL = 32 * 2 ** 10;
/** Buffers that are kept ready. Most reads do not come here. */
const KEPT = 2;

export class ReadBuffers {
  readonly #free: Buffer[] = [];

  /** A reply with a body of `size` bytes, of any content. */
  take(size: number): Buffer {
    if (size < SMALL || size > MAX_READ) return Buffer.allocUnsafe(HEADER_SIZE + size);
    const whole = this.#free.pop() ?? Buffer.allocUnsafeSlow(HEADER_SIZE + MAX_READ);
    return whole.subarray(0, HEADER_SIZE + size);
  }

  /** Takes back what `take` gave, once nothing will write to it any more. Any other buffer is let go. */
  give(reply: Buffer): void {
    if (reply.buffer.byteLength !== HEADER_SIZE + MAX_READ || this.#free.length >= KEPT) return;
    this.#free.push(Buffer.from(reply.buffer));
  }
}

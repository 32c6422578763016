/** What the addon's threads are handed, so that they answer by themselves. */
import type { NodeId } from "../../filesystem/filesystem.js";

export interface Threads {
  /**
   * Lets them read window `index` of `node`: what it consists of, as `Addon.putWindow` takes it. The server is told of
   * the first read where `isTold` says so. Nothing that is given here is kept.
   */
  putWindow(
    node: NodeId,
    index: number,
    runCount: number,
    numbers: Float64Array,
    bytes: Buffer,
    isTold: boolean,
  ): void;
  /**
   * Has them answer the next `opcode` about `node` (a listing: from `offset` on) with `reply`, whose header is still
   * to be written. The server is told when that has happened; an offer that nobody takes up is forgotten some day.
   */
  offer(opcode: number, node: NodeId, offset: number, reply: Buffer): void;
}

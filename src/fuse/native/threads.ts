/** What the addon's threads are handed, so that they answer by themselves. */
import type { NodeId } from "../../filesystem/filesystem.js";

export interface Threads {
  /** Lets them read window `index` of `node`: three numbers a run, as `Addon.putWindow` takes them. */
  putWindow(node: NodeId, index: number, runs: Float64Array, bytes: Buffer): void;
  /**
   * Has them answer the next `opcode` about `node` (a listing: from `offset` on) with `reply`, whose header is still
   * to be written. The server is told when that has happened; an offer that nobody takes up is forgotten some day.
   */
  offer(opcode: number, node: NodeId, offset: number, reply: Buffer): void;
}

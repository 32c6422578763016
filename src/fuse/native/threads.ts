/** What the addon's threads need to answer requests without TypeScript. */
import type { NodeId } from "../../filesystem/filesystem.js";

export interface Threads {
  /**
   * Lets the threads read window `index` of `node`. The arguments are those of `Addon.putWindow`, and are not used any
   * more when this returns.
   */
  putWindow(
    node: NodeId,
    index: number,
    runCount: number,
    numbers: Float64Array,
    bytes: Buffer,
    notifyFirstRead: boolean,
  ): void;
  /**
   * Lets the threads answer the next request `opcode` for `node` (a listing: from `offset` on) with `reply`, which begins
   * with space for its header. `Server.notify` is called then. Unused replies are evicted (LRU).
   */
  putReply(opcode: number, node: NodeId, offset: number, reply: Buffer): void;
  /** Drops all windows and replies. */
  clear(): void;
  /** Sends notifications to the kernel (protocol/notifications.ts), after those that are being sent. */
  notify(notifications: Buffer): void;
}

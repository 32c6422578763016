/** The handler of one kind of request. */
import type { StopSignal } from "../../extent/time-slice.js";
import type { NodeId } from "../../filesystem/filesystem.js";

/** The result of a request: a reply whose header is still to be written, or an errno. */
export type Outcome = Buffer | number;

/**
 * Answers a request.
 * @param body the request without its header. Valid until the handler's first `await`.
 * @param signal aborted if the request is interrupted. Its outcome is then ignored, and a handler that loops ends the loop.
 * Work whose result other requests share ignores the signal.
 * @param uid the user of the process that made the request.
 */
export type Handler = (
  nodeId: NodeId,
  body: Buffer,
  signal: StopSignal,
  uid: number,
) => Promise<Outcome> | Outcome;

/** Handlers by opcode. */
export type Handlers = Readonly<Record<number, Handler>>;

/** The handler of one kind of request. */
import type { StopSignal } from "../../extent/time-slice.js";
import type { NodeId } from "../../filesystem/filesystem.js";

/** The result of a request: a reply whose header is still to be written, or an errno. */
export type Outcome = Buffer | number;

/**
 * `body` is what follows the header. It is borrowed, and invalid after the handler's first `await`. `signal` is aborted
 * if the request is interrupted, and its outcome is then dropped: a handler that loops gives up. Work that other
 * requests share does not look at it. `uid` is the user whose process makes the request.
 */
export type Handler = (
  nodeId: NodeId,
  body: Buffer,
  signal: StopSignal,
  uid: number,
) => Promise<Outcome> | Outcome;

/** By opcode. */
export type Handlers = Readonly<Record<number, Handler>>;

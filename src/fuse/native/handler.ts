/** One kind of request, answered. */
import type { StopSignal } from "../../extent/time-slice.js";
import type { NodeId } from "../../filesystem/filesystem.js";

/** The result of a request: a reply whose header is still to be written, or an errno. */
export type Outcome = Buffer | number;

/**
 * `body` is what follows the header: borrowed, and gone at the handler's first `await`. `signal` is aborted when the request
 * has been interrupted, and its outcome is then dropped: a handler that loops gives up. Work that other requests
 * share does not look at it.
 */
export type Handler = (nodeId: NodeId, body: Buffer, signal: StopSignal) => Promise<Outcome> | Outcome;

/** By opcode. */
export type Handlers = Readonly<Record<number, Handler>>;

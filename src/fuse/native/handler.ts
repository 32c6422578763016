/** One kind of request, answered. */
import type { NodeId } from "../../filesystem/filesystem.js";

/** What a request comes to: a reply whose header is still to be written, or an errno. */
export type Outcome = Buffer | number;

/** `body` is what follows the header. It is borrowed, and gone at the handler's first `await`. */
export type Handler = (nodeId: NodeId, body: Buffer) => Promise<Outcome> | Outcome;

/** By opcode. */
export type Handlers = Readonly<Record<number, Handler>>;

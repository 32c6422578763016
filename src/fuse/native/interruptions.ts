/**
 * INTERRUPT: the process that waits for a request has received a signal. The kernel keeps waiting for the reply, even if the
 * signal kills the process. So the request has to end early, with EINTR.
 *
 * The kernel does not say which signal it was, and most signals do not kill the process. Programs do not expect EINTR from
 * read(2), because file systems on disks never return it. So an interrupted request has some time to complete as usual.
 */
import type { StopSignal } from "../../extent/time-slice.js";
import { Errno } from "../errno.js";
import type { Outcome } from "./handler.js";

/** Milliseconds that an interrupted request has to complete: far longer than almost all requests take. */
const GRACE = 100;

/** INTERRUPTs that are kept because their request has not arrived yet: another thread has read it from the kernel. */
const EARLY_COUNT = 64;

/** Requests are identified by their number in the protocol (`unique`): eight bytes, as latin1. */
export interface Interruptions {
  /**
   * Runs `handler`, which never rejects, for request `unique`. Resolves to its outcome; or to EINTR if the request is
   * interrupted before: `drop` is then called with the outcome.
   */
  run(
    unique: string,
    handler: (signal: StopSignal) => Promise<Outcome>,
    drop: (outcome: Outcome) => void,
  ): Promise<Outcome>;
  /** Interrupts request `unique`. */
  interrupt(unique: string): void;
}

/** A request that is being handled. */
interface Running {
  aborted: boolean;
  finish(outcome: Outcome): void;
}

export function interruptions(): Interruptions {
  const running = new Map<string, Running>();
  const early = new Set<string>();

  const end = (unique: string): void => {
    const request = running.get(unique);
    if (request === undefined) return;
    request.aborted = true;
    request.finish(Errno.EINTR);
  };

  const interrupt = (unique: string): void => {
    if (running.has(unique)) setTimeout(end, GRACE, unique);
    else {
      // INTERRUPTs for requests that the threads have answered would stay for ever: the oldest is dropped.
      early.add(unique);
      if (early.size > EARLY_COUNT) for (const oldest of early) return void early.delete(oldest);
    }
  };

  return {
    interrupt,
    run: (unique, handler, drop) =>
      new Promise((resolve) => {
        const request: Running = { aborted: false, finish: resolve };
        running.set(unique, request);
        if (early.size > 0 && early.delete(unique)) interrupt(unique);
        void handler(request).then((outcome) => {
          running.delete(unique);
          if (request.aborted) drop(outcome);
          else resolve(outcome);
        });
      }),
  };
}

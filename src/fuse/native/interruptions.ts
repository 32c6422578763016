/**
 * INTERRUPT: a signal has arrived for the process that waits for a request. The kernel goes on waiting for the reply, even if
 * the signal is to end the process, so that the request has to end early: with EINTR.
 *
 * The kernel does not say which signal it was, and most do not end their process. Programs do not expect EINTR when
 * they read a file (a file system on a disk never returns it), so that a request gets some time to end as usual.
 */
import type { StopSignal } from "../../extent/time-slice.js";
import { Errno } from "../errno.js";
import type { Outcome } from "./handler.js";

/** Milliseconds that an interrupted request has to end as usual: far longer than almost all requests take. */
const GRACE = 100;

/** INTERRUPTs that are kept because their request has not come yet: another thread has taken it from the kernel. */
const EARLY_COUNT = 64;

/** Requests are known by their number in the protocol (`unique`): eight bytes, as latin1. */
export interface Interruptions {
  /**
   * The outcome of request `unique` by `handler`, which never rejects; or EINTR once it has been interrupted. The outcome
   * that comes later is given to `drop`.
   */
  run(
    unique: string,
    handler: (signal: StopSignal) => Promise<Outcome>,
    drop: (outcome: Outcome) => void,
  ): Promise<Outcome>;
  /** Request `unique` has been interrupted. */
  interrupt(unique: string): void;
}

/** A request that is being worked on. */
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
      // Requests that the threads have answered leave theirs behind: the oldest is forgotten.
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

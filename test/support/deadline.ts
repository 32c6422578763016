/** Names the step that hangs: without it, the test's process is killed in the end and nobody knows where it waited. */
import { setTimeout as sleep } from "node:timers/promises";

/** Seconds for one step; the slowest that is right takes less than two on a busy machine. */
const SECONDS = 90;

/**
 * Waits for `step`.
 * @throws {Error} that names `what` if it takes longer than SECONDS.
 */
export async function beforeDeadline<T>(what: string, step: Promise<T>): Promise<T> {
  const ended = new AbortController();
  const late = sleep(SECONDS * 1000, undefined, { signal: ended.signal }).then(
    () => {
      throw new Error(`${what}: not done after ${SECONDS} s`);
    },
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([step, late]);
  } finally {
    ended.abort();
  }
}

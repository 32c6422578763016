/**
 * Long loops share the event loop. A loop over something on disk calls `yieldIfDue` once per step:
 *
 *     for (const cluster of chain) {
 *       const turn = yieldIfDue(signal);
 *       if (turn !== undefined) await turn;
 *       …
 *     }
 *
 * Once the loops of this process have run for TIME_SLICE without a pause, the call returns a promise, and timers, I/O and
 * other requests are served before the loop goes on. As long as the slice lasts, the call costs one look at the clock.
 * The same call interrupts the loop: it throws an `Interrupted` once `signal` is aborted.
 */

/** Milliseconds that loops may run before others are served. A request needs several turns, and all within 100 ms. */
export const TIME_SLICE = 5;

/** What interrupts a loop: an AbortSignal, or any object that sets `aborted`. */
export interface StopSignal {
  readonly aborted: boolean;
}

/** The work was interrupted: its result is no longer needed. Not a DiskError: nothing is wrong with the disk. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";

  constructor() {
    super("interrupted");
  }
}

/** When the current slice began, in milliseconds. */
let sliceStart = 0;

/** The loops that have to pause, in the order in which they go on: one in each turn of the event loop. */
const paused: (() => void)[] = [];

/**
 * A promise to await before going on, where the time slice is over; else `undefined`.
 * @throws {Interrupted} (or rejects with it) once `signal` is aborted.
 */
export function yieldIfDue(signal?: StopSignal): Promise<void> | undefined {
  throwIfAborted(signal);
  return performance.now() - sliceStart < TIME_SLICE ? undefined : pause(signal);
}

/** @throws {Interrupted} once `signal` is aborted. */
export function throwIfAborted(signal: StopSignal | undefined): void {
  if (signal?.aborted === true) throw new Interrupted();
}

async function pause(signal: StopSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    if (paused.push(resolve) === 1) setImmediate(resume);
  });
  throwIfAborted(signal);
}

/** Lets the loop that has waited longest go on. */
function resume(): void {
  sliceStart = performance.now();
  const next = paused.shift();
  // The immediate of an immediate runs in the next turn of the event loop, behind I/O.
  if (paused.length > 0) setImmediate(resume);
  next?.();
}

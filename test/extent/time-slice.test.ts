import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { Interrupted, TIME_SLICE, yieldIfDue } from "../../src/extent/time-slice.js";
import { watchEventLoop } from "../support/event-loop.js";

/** Keeps the processor busy for `milliseconds`. */
function work(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** Runs `steps` steps of half a millisecond. */
async function loop(steps: number, signal?: AbortSignal): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const turn = yieldIfDue(signal);
    if (turn !== undefined) await turn;
    work(0.5);
  }
}

t.test("within a time slice a loop goes on at once", async (t) => {
  await yieldIfDue(); // the slice begins
  t.equal(yieldIfDue(), undefined);
  work(TIME_SLICE);
  t.type(yieldIfDue(), Promise);
});

t.test("many loops at once leave the event loop to others, and all of them go on", async (t) => {
  const watch = watchEventLoop();
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  await Promise.all(Array.from({ length: 20 }, () => loop(50)));
  clearInterval(ticking);
  const lag = watch.stop();
  t.ok(lag < 50, `the event loop was held for ${lag} ms at most`);
  t.ok(ticks > 10, `${ticks} ticks of a timer`);
});

t.test("a loop that is aborted ends where it is, also while it pauses", async (t) => {
  const control = new AbortController();
  const long = loop(100_000, control.signal);
  await sleep(20);
  const started = performance.now();
  control.abort();
  await t.rejects(long, Interrupted);
  t.ok(performance.now() - started < 500);
  t.throws(() => yieldIfDue(control.signal), Interrupted);
});

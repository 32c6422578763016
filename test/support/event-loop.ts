/** How long the event loop is held. */

export interface LoopWatch {
  /** Stops, and returns the longest time that the loop was held, in milliseconds. */
  stop(): number;
}

/**
 * Watches the event loop of this process with a timer. A turn counts with its wall-clock time or its processor time,
 * whichever is less: on a busy machine the wall clock also shows what other processes took (perf_hooks'
 * monitorEventLoopDelay has only that).
 */
export function watchEventLoop(): LoopWatch {
  let [wall, processor] = [performance.now(), processorTime()];
  let longest = 0;
  const look = (): void => {
    const [wallNow, processorNow] = [performance.now(), processorTime()];
    longest = Math.max(longest, Math.min(wallNow - wall, processorNow - processor));
    [wall, processor] = [wallNow, processorNow];
  };
  const timer = setInterval(look, 1);
  return {
    stop() {
      look();
      clearInterval(timer);
      return longest;
    },
  };
}

/** Milliseconds that this process has used, all of its threads together. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

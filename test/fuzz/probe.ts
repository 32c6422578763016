/** Runs the operations of one input: DiskErrors are fine, all else is a finding; and each has a time. */
import { performance } from "node:perf_hooks";
import { DiskError } from "../../src/errors.js";
import { Finding, HELD } from "./finding.js";

/** Milliseconds between two beats. */
const BEAT = 5;

/** Milliseconds that this process has had of the processor: other programs do not count. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Measures how long the event loop is held: by the clock, and where that is long, by the processor's time. Storage in
 * memory answers at once, so that an operation comes back to the event loop only where the code itself gives way, as it
 * would have to with a file that the host has in memory.
 */
class Pulse {
  #last = 0;
  #lastProcessor = 0;
  #longest = 0;

  constructor() {
    setInterval(() => {
      this.#beat();
    }, BEAT).unref();
  }

  /** @param isExact whether the processor's time is taken as well; else that of the last beat counts, which is earlier. */
  start(isExact: boolean): void {
    this.#last = performance.now();
    if (isExact) this.#lastProcessor = processorTime();
    this.#longest = 0;
  }

  /** Milliseconds of the longest time without a beat since the start. */
  longest(): number {
    this.#beat();
    return this.#longest;
  }

  #beat(): void {
    const now = performance.now();
    const held = now - this.#last;
    if (held > HELD || this.#longest > 0) {
      const processor = processorTime();
      this.#longest = Math.max(this.#longest, Math.min(held, processor - this.#lastProcessor));
      this.#lastProcessor = processor;
    }
    this.#last = now;
  }
}

const pulse = new Pulse();

export interface Probe {
  /** What `run` gives; undefined where it throws a DiskError, or gives nothing. */
  attempt<T>(what: string, run: () => Promise<T> | T): Promise<T | undefined>;
  /** DiskErrors so far. */
  readonly errors: DiskError[];
}

export interface ProbeOptions {
  /** Milliseconds for which an operation may hold the event loop. */
  readonly limit?: number;
  /** Whether each operation's own time of the processor is measured: it takes longer, and accuses nobody wrongly. */
  readonly isExact?: boolean;
}

export function newProbe({ limit = HELD, isExact = isExactByDefault }: ProbeOptions = {}): Probe {
  const checkHeld = (what: string): void => {
    const held = pulse.longest();
    if (held > limit) throw new Finding("held", `${what} holds the event loop for ${Math.round(held)} ms`);
  };
  const errors: DiskError[] = [];
  pulse.start(true);
  return {
    errors,
    async attempt(what, run) {
      pulse.start(isExact);
      try {
        const result = await run();
        checkHeld(what);
        return result;
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        checkHeld(what);
        errors.push(error);
        return undefined;
      }
    },
  };
}

let isExactByDefault = false;

/** Makes exact probes the default. */
export function measureExactly(): void {
  isExactByDefault = true;
}

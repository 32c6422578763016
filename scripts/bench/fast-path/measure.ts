/** Turns, medians, and the lines of the table. */
import { run } from "../../../test/support/command.js";

/** One measurement of one side, mounting and all; answers what the table shows: seconds, GB/s, IOPS. */
export type Turn<Result = number> = () => Promise<Result>;

/** What a ratio of ours to the peer's must be: at least, or at most. */
export type Bar = { readonly least: number } | { readonly most: number };

export interface Line {
  readonly work: string;
  readonly ours: string;
  readonly peer: string;
  readonly ratio: string;
  readonly bar: string;
  readonly met: string;
}

export interface Comparison {
  readonly work: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly peer: readonly number[];
  /** Without one, the line only informs. */
  readonly bar?: Bar;
  /** What the bare server makes of the same work: beyond it lies what the kernel does not allow. */
  readonly limit?: readonly number[];
}

/** How near ours must come to the bare server where that cannot meet the bar either. */
const NEAR = 0.9;

/** A pause in this process's own beat that no work of it explains: it was stopped, and its servers most likely too. */
const STOPPED = 1000; // ms
const BEAT = 100; // ms
/** How often a turn is begun again before that is an error. */
const MOST_ATTEMPTS = 20;

/** Every side once a turn, so that whatever else the machine does meets all of them. */
export async function interleave<Side extends string, Result = number>(
  turns: number,
  sides: Readonly<Record<Side, Turn<Result>>>,
): Promise<Record<Side, Result[]>> {
  const names = Object.keys(sides) as Side[];
  const series = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Side, Result[]>;
  for (let turn = 0; turn < turns; turn++) {
    for (const name of names) series[name].push(await unstopped(sides[name]));
  }
  return series;
}

/** A turn during which the clock went on while the work did not (Ctrl-Z, a suspended machine) is measured again. */
async function unstopped<Result>(turn: Turn<Result>): Promise<Result> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    let [last, longest] = [performance.now(), 0];
    const listen = (): void => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    };
    const beat = setInterval(listen, BEAT);
    const result = await turn().finally(() => {
      clearInterval(beat);
    });
    listen();
    if (longest < STOPPED) return result;
    console.error(`stopped for ${(longest / 1000).toFixed(1)} s; this turn is measured again`);
  }
  throw new Error("stopped in every attempt: nothing can be measured");
}

/** The ratio is that of the medians. */
export function compare({ work, unit, ours, peer, bar, limit }: Comparison): Line {
  const [our, their] = [median(ours), median(peer)];
  const isMet = bar === undefined || meets(our / their, bar);
  const isAtLimit = () =>
    limit !== undefined && !meets(median(limit) / their, bar!) && near(our, median(limit), bar!);
  return {
    work,
    ours: `${show(our)} ${unit}`,
    peer: `${show(their)} ${unit}`,
    ratio: (our / their).toFixed(2),
    bar: bar === undefined ? "" : "least" in bar ? `>= ${show(bar.least)}` : `<= ${show(bar.most)}`,
    met: bar === undefined ? "" : isMet ? "yes" : isAtLimit() ? "at the limit" : "NO",
  };
}

/** A line about ours alone: a number under a bound. */
export function bound(work: string, values: readonly number[], unit: string, most: number): Line {
  const value = median(values);
  return {
    work,
    ours: `${show(value)} ${unit}`,
    peer: "",
    ratio: "",
    bar: `< ${most} ${unit}`,
    met: value < most ? "yes" : "NO",
  };
}

/** A line that only informs: what the machine makes of the simplest such work. */
export function told(work: string, values: readonly number[], unit: string): Line {
  return { work, ours: "", peer: `${show(median(values))} ${unit}`, ratio: "", bar: "", met: "" };
}

/** Wall-clock seconds of a program that must succeed. */
export async function seconds(program: string, ...args: string[]): Promise<number> {
  const start = performance.now();
  const { code, stderr } = await run(program, args);
  const end = performance.now();
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${code}\n${stderr}`);
  return (end - start) / 1000;
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function meets(ratio: number, bar: Bar): boolean {
  return "least" in bar ? ratio >= bar.least : ratio <= bar.most;
}

function near(value: number, limit: number, bar: Bar): boolean {
  return "least" in bar ? value >= limit * NEAR : value * NEAR <= limit;
}

function show(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

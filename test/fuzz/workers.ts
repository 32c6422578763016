/** Runs worker.ts and watches it: a process that hangs or takes too much memory is killed, and what it ran is known. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { HANG } from "./finding.js";
import { readProgress } from "./progress.js";
import type { Report } from "./report.js";

/** Milliseconds between two looks at a process. */
const LOOK = 200;
/** Milliseconds of the processor without a new input after which a process hangs. */
const PATIENCE = 8 * HANG;
/** Milliseconds by the clock, whatever the processor does: an answer that never comes. */
const STUCK = 60_000;
/** Milliseconds until the first input, while bases are made ready. */
const BEGINNING = 180_000;
/** Bytes that a worker may have: it has more than one input's, since it does not collect garbage at once. */
const WORKER_MEMORY = 1200 * 2 ** 20;
/** Milliseconds for which an input is shortened. */
const SHORTENING = 30_000;
const PAGE = 4096;
/** Of /proc/PID/stat (man 5 proc): clock ticks are hundredths of a second wherever Linux runs. */
const TICK = 10;

export interface Slice {
  readonly inputs: number;
  readonly reports: readonly Report[];
}

/** Runs inputs of `target` for `seconds`, from those of `seed`; a process that ends early is begun anew behind its last. */
export async function runSlice(target: string, seed: number, seconds: number, state: string): Promise<Slice> {
  const reports: Report[] = [];
  const path = join(state, `progress-${target}`);
  const end = performance.now() + seconds * 1000;
  let next = 0;
  while (performance.now() < end - LOOK) {
    const left = String((end - performance.now()) / 1000);
    rmSync(path, { force: true });
    const child = start(["campaign", target, String(seed), String(next), left, path], state);
    const lines = collect(child, (line) => reports.push(JSON.parse(line) as Report));
    const problem = await watch(child, path);
    await lines;
    const last = readProgress(path);
    if (problem !== undefined && last === undefined)
      throw new Error(`${target} did not begin: ${problem.message}`);
    if (problem !== undefined)
      reports.push({ ...problem, label: "", input: JSON.parse(last!.input) as unknown });
    next = (last?.index ?? next) + (problem === undefined ? 0 : 1);
  }
  return { inputs: next, reports };
}

/** What `input` shows in a process of its own, where it is measured by itself; undefined where all is well. */
export async function tryInput(target: string, input: unknown, state: string): Promise<Report | undefined> {
  return withInput(input, async (path) => {
    const child = start(["try", target, path], state);
    let report: Report | undefined;
    const lines = collect(child, (line) => (report ??= JSON.parse(line) as Report));
    const problem = await watch(child, undefined);
    await lines;
    return report ?? (problem && { ...problem, label: "", input });
  });
}

/** The simplest input that could be found in the time, and that shows what `report` says. */
export async function shorten(target: string, { input, signature }: Report, state: string): Promise<unknown> {
  return withInput(input, async (path) => {
    const child = start(["shorten", target, path, signature], state);
    let best = input;
    const lines = collect(child, (line) => (best = JSON.parse(line) as unknown));
    const timer = setTimeout(() => child.kill("SIGKILL"), SHORTENING);
    await watch(child, undefined);
    clearTimeout(timer);
    await lines;
    return best;
  });
}

function start(args: readonly string[], state: string): ChildProcess {
  const worker = join(import.meta.dirname, "worker.ts");
  const env = { ...process.env, VDISK_FUZZ_STATE: state };
  const caches = pathToFileURL(join(import.meta.dirname, "small-caches.js")).href;
  return spawn(process.execPath, ["--import", "tsx", "--import", caches, worker, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env,
  });
}

async function withInput<T>(input: unknown, use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "vdisk-fuzz-"));
  try {
    const path = join(folder, "input.json");
    writeFileSync(path, JSON.stringify(input));
    return await use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Calls `take` with each whole line that `child` prints. */
async function collect(child: ChildProcess, take: (line: string) => void): Promise<void> {
  let rest = "";
  for await (const chunk of child.stdout!) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line !== "") take(line);
  }
}

type Problem = Pick<Report, "kind" | "signature" | "message">;

/** Waits for `child` to end; what was wrong with it, where something was. `path`: its progress, where it has one. */
async function watch(child: ChildProcess, path: string | undefined): Promise<Problem | undefined> {
  let problem: Problem | undefined;
  let last = { index: -1, processor: 0, clock: performance.now() };
  const timer = setInterval(() => {
    const use = useOf(child.pid!);
    if (use === undefined || problem !== undefined) return;
    const index = path === undefined ? 0 : existsSync(path) ? (readProgress(path)?.index ?? -1) : -1;
    if (index !== last.index) last = { index, processor: use.processor, clock: performance.now() };
    const grace = path === undefined ? BEGUN : 0;
    const clock = performance.now() - last.clock - grace;
    problem = judge(index, use.processor - last.processor, clock, use.memory);
    if (problem !== undefined) child.kill("SIGKILL");
  }, LOOK);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.on("error", reject).on("close", (code, signal) => {
      resolve([code, signal]);
    });
  });
  clearInterval(timer);
  if (problem !== undefined || code === 0 || signal === "SIGKILL") return problem;
  return {
    kind: "ended",
    signature: `ended ${signal ?? code}`,
    message: `the process ended with ${signal ?? code}`,
  };
}

function judge(index: number, processor: number, clock: number, memory: number): Problem | undefined {
  if (memory > WORKER_MEMORY)
    return { kind: "memory", signature: "memory killed", message: `${Math.round(memory / 2 ** 20)} MiB` };
  if (index < 0)
    return clock > BEGINNING ? { kind: "stuck", signature: "stuck", message: "it never began" } : undefined;
  if (processor > PATIENCE && clock > PATIENCE)
    return { kind: "hang", signature: "hang killed", message: `${processor} ms of the processor and no end` };
  return clock > STUCK ? { kind: "stuck", signature: "stuck", message: "an answer never came" } : undefined;
}

/** Milliseconds that a process without a progress file, which cannot say when it has begun, is given for that. */
const BEGUN = 20_000;

/** Milliseconds of the processor, and bytes of memory, of process `pid`. */
function useOf(pid: number): { processor: number; memory: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /, "")
      .split(" ");
    return { processor: (Number(fields[11]) + Number(fields[12])) * TICK, memory: Number(fields[21]) * PAGE };
  } catch {
    return undefined; // it has ended
  }
}

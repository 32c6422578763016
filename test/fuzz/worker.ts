/**
 * The process that runs inputs, and that may be killed at any time: what it runs is in its progress file before it
 * begins. It prints a line of JSON for each thing that is wrong.
 *
 *   worker.ts campaign TARGET SEED FROM SECONDS PROGRESS
 *   worker.ts try TARGET INPUT          the input as JSON, exactly measured
 *   worker.ts shorten TARGET INPUT SIGNATURE
 */
import { readFileSync } from "node:fs";
import { Finding, HANG, MEMORY, signatureOf } from "./finding.js";
import { measureExactly, processorTime } from "./probe.js";
import { openProgress, type Progress } from "./progress.js";
import { Random } from "./random.js";
import { reportOf, type Report } from "./report.js";
import type { Target } from "./target.js";
import { loadTarget, type TargetName } from "./targets.js";

/** Bytes by which the process may grow for one input before that is looked into. */
const GROWTH = 64 * 2 ** 20;
/** Inputs after which timers have their turn. */
const PAUSE = 32;

const [mode, name, ...rest] = process.argv.slice(2);
const input =
  mode === "campaign" ? undefined : (JSON.parse(readFileSync(rest[0]!, "utf8")) as { base?: string });
const target = await loadTarget(name as TargetName, input?.base === undefined ? undefined : [input.base]);
if (mode === "campaign") await campaign(Number(rest[0]), Number(rest[1]), Number(rest[2]), rest[3]!);
else if (mode === "try") await tryOne(input);
else await shorten(input, rest[1]!);
process.exit(0);

async function campaign(seed: number, from: number, seconds: number, progressPath: string): Promise<void> {
  const progress = openProgress(progressPath);
  let input: unknown;
  const ended = (error: unknown): void => {
    print(reportOf(error, target, input));
    process.exit(1);
  };
  process.on("uncaughtException", ended).on("unhandledRejection", ended);
  // DiskErrors come by the million, and half of what each takes is its stack; a fault runs again with one.
  Error.stackTraceLimit = 0;
  const end = performance.now() + seconds * 1000;
  let index = from;
  for (; performance.now() < end; index++) {
    input = target.make(new Random(seed, index));
    const found = await measured(target, input, progress, index);
    if (found !== undefined) print(found);
    if (index % PAUSE === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  progress.write(index, "");
}

async function measured(
  target: Target<unknown>,
  input: unknown,
  progress: Progress,
  index: number,
): Promise<Report | undefined> {
  progress.write(index, JSON.stringify(input));
  const memory = process.resourceUsage().maxRSS;
  const started = processorTime();
  try {
    await target.run(input);
  } catch (error) {
    return reportOf(error instanceof Finding ? error : await again(target, input), target, input);
  }
  const took = processorTime() - started;
  if (took > HANG) return reportOf(tooLong(took), target, input);
  const grown = (process.resourceUsage().maxRSS - memory) * 1024;
  return grown > GROWTH ? reportOf(tooLarge(grown), target, input) : undefined;
}

/** What `input` throws, with its stack. */
async function again(target: Target<unknown>, input: unknown): Promise<unknown> {
  Error.stackTraceLimit = 20;
  try {
    await target.run(input);
    return new Error("it was thrown once, and not when the input was run again");
  } catch (error) {
    return error;
  } finally {
    Error.stackTraceLimit = 0;
  }
}

/** Runs `input` in a process of its own, and measures all of that; the second time, when the code has been compiled. */
async function tryOne(input: unknown): Promise<void> {
  measureExactly();
  const ended = (error: unknown): void => {
    print(reportOf(error, target, input));
    process.exit(0);
  };
  process.on("uncaughtException", ended).on("unhandledRejection", ended);
  let report: Report | undefined;
  for (let turn = 0; turn < 3; turn++) {
    const started = processorTime();
    report = undefined;
    try {
      await target.run(input);
    } catch (error) {
      report = reportOf(error, target, input);
    }
    const took = processorTime() - started;
    if (report === undefined && took > HANG) report = reportOf(tooLong(took), target, input);
    if (report?.kind !== "held" && report?.kind !== "hang") break;
  }
  const memory = process.resourceUsage().maxRSS * 1024;
  if (report === undefined && memory > MEMORY) report = reportOf(tooLarge(memory), target, input);
  if (report !== undefined) print(report);
}

/** Prints ever simpler inputs that still show the same kind of thing; each is better than the one before. */
async function shorten(input: unknown, signature: string): Promise<void> {
  measureExactly();
  let best = input;
  for (let isShorter = true; isShorter;) {
    isShorter = false;
    for (const simpler of target.simpler(best)) {
      if ((await signatureIn(simpler)) !== signature) continue;
      best = simpler;
      isShorter = true;
      process.stdout.write(`${JSON.stringify(best)}\n`);
      break;
    }
  }
}

async function signatureIn(input: unknown): Promise<string | undefined> {
  const started = processorTime();
  try {
    await target.run(input);
  } catch (error) {
    return signatureOf(error);
  }
  const took = processorTime() - started;
  return took > HANG ? signatureOf(tooLong(took)) : undefined;
}

function tooLong(milliseconds: number): Finding {
  return new Finding("hang", `it takes ${Math.round(milliseconds)} ms of the processor`);
}

function tooLarge(bytes: number): Finding {
  return new Finding("memory", `it takes ${Math.round(bytes / 2 ** 20)} MiB`);
}

function print(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

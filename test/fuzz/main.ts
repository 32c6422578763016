/**
 * The campaign: runs all targets in turns, looks into what they find, and keeps it. scripts/fuzz.sh starts it, and
 * docs/fuzzing.md says how it is used.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { nativeTargets, runNativeSlice, tryNative } from "./native.js";
import type { Report } from "./report.js";
import { fileOf, keyOf, lockState, openState, type Kept, type State } from "./state.js";
import { targetNames } from "./targets.js";
import { runSlice, shorten, tryInput } from "./workers.js";

/** Minutes of one turn of all targets: what one has of it is long beside its preparations. */
const TURN = 5;
/** Reports of one slice that are looked into; more of them have the same few causes. */
const REPORTS = 20;

/** What part of the time each target has. */
const SHARES: Readonly<Record<string, number>> = {
  images: 0.62,
  wire: 0.04,
  settings: 0.03,
  decoders: 0.15,
  native: 0.16,
};

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    state: { type: "string", default: join(process.env["XDG_STATE_HOME"] ?? tmpdir(), "vdisk-fuzz") },
    seed: { type: "string" },
    only: { type: "string" },
    keep: { type: "string", default: join(import.meta.dirname, "regressions") },
    replay: { type: "string" },
    report: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

if (options.help) {
  console.log(
    "scripts/fuzz.sh [--minutes 60] [--state FOLDER] [--seed N] [--only NAME,…] [--keep FOLDER]\n" +
      "scripts/fuzz.sh --report [--state FOLDER]\nscripts/fuzz.sh --replay FILE\ndocs/fuzzing.md says more.",
  );
  process.exit();
}
const state = openState(options.state);
if (options.report) printReport();
else if (options.replay !== undefined) await replay(options.replay);
else {
  lockState(options.state);
  await campaign(Number(options.minutes), Number(options.seed ?? Date.now() % 2 ** 31));
}

async function campaign(minutes: number, first: number): Promise<void> {
  console.log(
    `seed ${first} (scripts/fuzz.sh --seed ${first} makes the same inputs), state in ${state.folder}`,
  );
  await recheck();
  const known = new Set(state.findings().map(keyOf));
  const before = known.size;
  const end = performance.now() + minutes * 60_000;
  const names = wanted();
  for (let seed = first; performance.now() < end; seed++) {
    const seconds = Math.min(TURN * 60, (end - performance.now()) / 1000);
    for (const [name, share] of names) {
      const started = performance.now();
      const { inputs, reports } = await slice(name, seed, seconds * share);
      state.add(name, inputs, (performance.now() - started) / 1000);
      for (const report of distinct(reports, name, known)) await lookInto(name, report, seed, known);
      if (performance.now() > end) break;
    }
  }
  printReport();
  const found = state.findings().length;
  console.log(`${found} findings, ${known.size - before} of them new`);
  process.exitCode = found > 0 ? 1 : 0;
}

/** The targets, with what part of the time each has. */
function wanted(): [string, number][] {
  const native = Object.entries(nativeTargets).map(([name, { share }]): [string, number] => [
    name,
    share * SHARES["native"]!,
  ]);
  const all = [...targetNames.map((name): [string, number] => [name, SHARES[name]!]), ...native];
  const chosen = options.only?.split(",");
  const some = all.filter(([name]) => chosen === undefined || chosen.some((part) => name.startsWith(part)));
  const sum = some.reduce((total, [, share]) => total + share, 0);
  if (some.length === 0)
    throw new Error(`no target is called ${options.only}: ${all.map(([name]) => name).join(", ")}`);
  return some.map(([name, share]) => [name, share / sum]);
}

async function slice(name: string, seed: number, seconds: number) {
  if (name in nativeTargets) return runNativeSlice(name, seed, seconds, state.folder);
  return runSlice(name, seed, seconds, state.folder);
}

/** The first report of each kind that is not known yet. */
function distinct(reports: readonly Report[], target: string, known: ReadonlySet<string>): Report[] {
  const byKey = new Map(reports.map((report) => [keyOf({ target, ...report }), report] as const).reverse());
  return [...byKey]
    .filter(([key]) => !known.has(key))
    .map(([, report]) => report)
    .slice(0, REPORTS);
}

/** Keeps a finding where it shows itself again in a process of its own: the machine may have been busy. */
async function lookInto(target: string, report: Report, seed: number, known: Set<string>): Promise<void> {
  let finding: Kept = { target, seed, ...report };
  if (!(target in nativeTargets)) {
    const again = await tryInput(target, report.input, state.folder);
    if (again === undefined) return;
    const label = again.label || report.label;
    finding = { target, seed, ...again, label };
    if (known.has(keyOf(finding))) return;
    const input = await shorten(target, again, state.folder);
    // What remains may show the same in another way: it is kept as it is told last.
    finding = { ...finding, ...(await tryInput(target, input, state.folder)), label, input };
  }
  if (known.has(keyOf(finding))) return;
  known.add(keyOf(finding)).add(keyOf({ target, ...report }));
  state.keep(finding);
  mkdirSync(options.keep, { recursive: true });
  const path = join(options.keep, fileOf(finding));
  writeFileSync(path, `${JSON.stringify(finding, undefined, 2)}\n`);
  console.log(
    `FOUND ${keyOf(finding)}\n  ${path}\n  ${finding.message.split("\n").slice(0, 6).join("\n  ")}`,
  );
}

/** Sets aside the findings that are fixed. */
async function recheck(): Promise<void> {
  for (const finding of state.findings()) {
    if ((await shows(finding)) === undefined) {
      state.retire(finding);
      console.log(`fixed: ${keyOf(finding)}`);
    } else console.log(`still there: ${keyOf(finding)}`);
  }
}

async function replay(path: string): Promise<void> {
  const finding = JSON.parse(readFileSync(path, "utf8")) as Kept;
  const said = await shows(finding);
  console.log(said ?? "nothing is wrong with it");
  process.exitCode = said === undefined ? 0 : 1;
}

/** What is wrong with the finding's input now. */
async function shows({ target, input }: Kept): Promise<string | undefined> {
  if (target in nativeTargets) return tryNative(target, input as string, state.folder);
  return (await tryInput(target, input, state.folder))?.message;
}

function printReport(): void {
  for (const [name, { inputs, seconds }] of Object.entries(state.counts))
    console.log(`${name.padEnd(16)} ${String(inputs).padStart(12)} inputs in ${Math.round(seconds)} s`);
  const sum = (isCounted: (name: string) => boolean): number =>
    Object.entries(state.counts).reduce(
      (total, [name, { inputs }]) => total + (isCounted(name) ? inputs : 0),
      0,
    );
  console.log(
    `${sum((name) => name === "images")} images, ${sum((name) => name === "decoders")} inputs of the TypeScript decoders,`,
  );
  console.log(`${sum((name) => name in nativeTargets)} of the C++ ones; ${findingsOf(state)}`);
}

function findingsOf(state: State): string {
  const open = state.findings().length;
  return open === 0 ? "nothing is open" : `${open} findings are open (${join(state.folder, "findings")})`;
}

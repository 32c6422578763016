/** libFuzzer on the C++ of native-bindings that knows nothing of Node, with AddressSanitizer and UBSan. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { packedSeeds } from "./seeds.js";
import type { Report } from "./report.js";
import type { Slice } from "./workers.js";

const run = promisify(execFile);
const FOLDER = join(import.meta.dirname, "native");
const BINDINGS = join(import.meta.dirname, "../../native-bindings");
const SOURCES = ["unpack.cc", "lznt1.cc", "xpress.cc", "lzx.cc", "extents.cc"].map((name) =>
  join(BINDINGS, name),
);
const COMMON = ["-std=c++20", "-O2", "-g1", "-fno-exceptions", "-pthread"];
const SANITIZERS = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"];

interface NativeTarget {
  readonly source: string;
  readonly flags: readonly string[];
  /** Bytes of the longest input. */
  readonly longest: number;
  /** Of the time that native targets have. */
  readonly share: number;
}

/** By name. Short inputs: most of what there is to be found needs few bytes, and takes less time then. */
export const nativeTargets: Readonly<Record<string, NativeTarget>> = {
  "native-lznt1": { source: "unpack.cc", flags: ["-DCODEC=0"], longest: 300, share: 0.35 },
  "native-xpress": { source: "unpack.cc", flags: ["-DCODEC=1"], longest: 600, share: 0.25 },
  "native-lzx": { source: "unpack.cc", flags: ["-DCODEC=2"], longest: 600, share: 0.3 },
  "native-reading": { source: "reading.cc", flags: [], longest: 200, share: 0.1 },
};

/** Milliseconds of one input; far more than any takes, since the clock also runs while others work. */
const TIMEOUT_SECONDS = 20;
/** MiB. */
const MEMORY = 300;
/** MiB of freed memory that AddressSanitizer holds back; its usual 256 would count as the program's own. */
const QUARANTINE = 16;

/** The program of target `name`, compiled where it is older than its sources. */
export async function compile(name: string, state: string): Promise<string> {
  const { source, flags } = nativeTargets[name]!;
  const program = join(state, "bin", name);
  const headers = readdirSync(BINDINGS).filter((file) => file.endsWith(".h"));
  const all = [join(FOLDER, source), ...SOURCES, ...headers.map((file) => join(BINDINGS, file))];
  const isFresh =
    existsSync(program) && all.every((path) => statSync(path).mtimeMs < statSync(program).mtimeMs);
  if (!isFresh)
    await run(clang(), [...COMMON, ...SANITIZERS, ...flags, join(FOLDER, source), ...SOURCES, "-o", program]);
  return program;
}

function clang(): string {
  const found = ["clang++-14", "clang++"].find((name) => existsSync(`/usr/bin/${name}`));
  if (found === undefined) throw new Error("no clang++ is here: apt-get install clang-14 libclang-rt-14-dev");
  return found;
}

/** Runs target `name` for `seconds`. */
export async function runNativeSlice(
  name: string,
  seed: number,
  seconds: number,
  state: string,
): Promise<Slice> {
  const program = await compile(name, state);
  const corpus = join(state, "corpus", name);
  const artifacts = join(state, "artifacts");
  mkdirSync(artifacts, { recursive: true });
  if (!existsSync(corpus)) await plant(name, corpus);
  const { longest } = nativeTargets[name]!;
  const args = [
    ...[
      corpus,
      `-seed=${seed}`,
      `-max_len=${longest}`,
      `-max_total_time=${Math.max(1, Math.round(seconds))}`,
    ],
    ...[`-timeout=${TIMEOUT_SECONDS}`, `-rss_limit_mb=${MEMORY}`, `-malloc_limit_mb=${MEMORY}`],
    ...["-print_final_stats=1", `-artifact_prefix=${artifacts}/${name}-`],
  ];
  const { output, isGood } = await outcome(program, args);
  const inputs = Number(/number_of_executed_units: (\d+)/.exec(output)?.[1] ?? 0);
  if (isGood) return { inputs, reports: [] };
  return { inputs, reports: [await reportOf(name, program, output)] };
}

/** What a program says that runs one input, where that goes wrong. */
export async function tryNative(name: string, hex: string, state: string): Promise<string | undefined> {
  const path = join(state, "native-input");
  writeFileSync(path, Buffer.from(hex, "hex"));
  const { output, isGood } = await outcome(await compile(name, state), [path]);
  return isGood ? undefined : output;
}

/** The report of what `output` tells of, with its input shortened by libFuzzer itself. */
async function reportOf(name: string, program: string, output: string): Promise<Report> {
  const artifact = /Test unit written to (\S+)/.exec(output)?.[1];
  const what = /SUMMARY: (.*)/.exec(output)?.[1] ?? "it ended";
  const report = { kind: "fault", signature: what.replace(/0x[0-9a-f]+|\d+/g, "N"), label: name } as const;
  if (artifact === undefined) return { ...report, message: output.slice(-2000), input: "" };
  const shorter = `${artifact}-short`;
  await outcome(program, [
    "-minimize_crash=1",
    "-runs=20000",
    "-max_total_time=20",
    `-exact_artifact_path=${shorter}`,
    artifact,
  ]);
  const input = readFileSync(existsSync(shorter) ? shorter : artifact).toString("hex");
  return { ...report, message: output.slice(-4000), input };
}

async function outcome(
  program: string,
  args: readonly string[],
): Promise<{ output: string; isGood: boolean }> {
  try {
    const env = { ...process.env, ASAN_OPTIONS: `quarantine_size_mb=${QUARANTINE}` };
    const { stderr } = await run(program, args, { maxBuffer: 2 ** 26, env });
    return { output: stderr, isGood: true };
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    if (stderr === undefined) throw error;
    return { output: stderr, isGood: false };
  }
}

/** A corpus to begin with: what is packed in the bases. */
async function plant(name: string, corpus: string): Promise<void> {
  mkdirSync(corpus, { recursive: true });
  const codec = name.replace("native-", "");
  for (const [index, seed] of (await packedSeeds(codec)).entries())
    writeFileSync(join(corpus, `seed-${index}`), seed);
}

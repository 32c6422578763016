/**
 * Large but legal: images whose sizes, counts, lengths and depths are as large as the format allows. Whatever they claim,
 * each operation on them gives bytes or a DiskError in under a second, in 300 MB, and never holds the event loop for 100 ms.
 *
 * How to use it:
 *
 *     const cases = fieldCases(image, places, mend); // of large-but-legal-cases.ts
 *     await checkLarge(t, [{ name: "ext4", image, cases }]);
 *     await checkLarge(t, [{ name: "sparse", image: "/path/of/a/large/sparse/image", cases: [{ name: "as it is" }] }]);
 *
 * All cases run in one child process (large-but-legal-child.ts), which opens the image, lists, looks up, reads at the
 * start, in the middle and at the end, looks for data and holes, and maps windows for the threads. Cases that fail are
 * measured up to three times more, in a process that collects garbage before each: the machine may have been busy.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";

export interface Patch {
  readonly offset: number;
  readonly bytes: Buffer;
}

export interface LargeCase {
  readonly name: string;
  readonly patches?: readonly Patch[];
}

/** What the child process prints for each case. */
export interface Measured {
  readonly index: number;
  /** The longest operation. */
  readonly milliseconds: number;
  readonly operation: string;
  /** The longest time that the event loop was held, and by what. */
  readonly lag: number;
  readonly lagOperation: string;
  /** Bytes by which the process grew. */
  readonly growth: number;
  /** An error that is no DiskError. */
  readonly bug?: string;
}

const OPERATION_LIMIT = 1000; // milliseconds
const LAG_LIMIT = 100; // milliseconds
const MEMORY_LIMIT = 300 * 2 ** 20; // bytes

/** Milliseconds without a result after which a case hangs. */
const HANG = 60_000;

const CHILD = fileURLToPath(new URL("large-but-legal-child.ts", import.meta.url));

/** What tap (or tsx) had Node load before this test, to strip types. */
const LOADER = process.execArgv.filter((argument) => /\/(typescript|tsx)\//.test(argument));

/** An image with its cases: the image's bytes, or the path of a file. A case without patches opens the file as it is. */
export interface LargeImage {
  readonly name: string;
  readonly image: Buffer | string;
  readonly cases: readonly LargeCase[];
}

/** What the child process reads: of each case its image's number and its patches, as hexadecimal. */
export interface JobList {
  readonly paths: readonly string[];
  readonly cases: readonly (readonly [
    path: number,
    patches: readonly (readonly [offset: number, hex: string])[],
  ])[];
}

/** How often a case that fails is measured again. */
const MORE_TRIES = 3;

interface Job {
  readonly path: string;
  readonly image: LargeImage;
  readonly large: LargeCase;
}

/** Checks all cases of all `images`. */
export async function checkLarge(t: Test, images: readonly LargeImage[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "vdisk-large-"));
  try {
    const jobs = images.flatMap((image, index): Job[] => {
      t.ok(image.cases.length > 0, `${image.name} has cases`);
      const path = typeof image.image === "string" ? image.image : join(folder, `image-${index}`);
      if (typeof image.image !== "string") writeFileSync(path, image.image);
      return image.cases.map((large) => ({ path, image, large }));
    });
    const first = await measure(folder, jobs, "quick");
    const failing = new Map<Job, string>();
    jobs.forEach((job, index) => {
      const problem = problemOf(first[index]);
      if (problem !== undefined) failing.set(job, problem);
    });
    for (let tries = 0; failing.size > 0 && tries < MORE_TRIES; tries++) {
      const again = [...failing.keys()];
      const measured = await measure(folder, again, "exact");
      again.forEach((job, index) => {
        const problem = problemOf(measured[index]);
        if (problem === undefined) failing.delete(job);
        else failing.set(job, problem);
      });
    }
    for (const image of images) {
      const problems = [...failing]
        .filter(([job]) => job.image === image)
        .map(([job, problem]) => `${job.large.name}: ${problem}`);
      const measured = first.filter((_, index) => jobs[index]!.image === image);
      t.same(problems, [], `${image.name}: ${summaryOf(measured)}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function summaryOf(measured: readonly (Measured | undefined)[]): string {
  const all = measured.filter((one) => one !== undefined);
  const [longest] = all.sort((a, b) => b.milliseconds - a.milliseconds);
  const most = (valueOf: (one: Measured) => number): number => Math.round(Math.max(0, ...all.map(valueOf)));
  return (
    `${measured.length} cases, at most ${Math.round(longest?.milliseconds ?? 0)} ms (${longest?.operation}), ` +
    `the event loop held for ${most((one) => one.lag)} ms, ${most((one) => one.growth / 2 ** 20)} MB`
  );
}

function problemOf(measured: Measured | undefined): string | undefined {
  if (measured === undefined) return "the process has ended, or hangs";
  const { milliseconds, operation, lag, lagOperation, growth, bug } = measured;
  if (bug !== undefined) return bug;
  if (milliseconds > OPERATION_LIMIT) return `${operation} takes ${milliseconds} ms`;
  if (lag > LAG_LIMIT) return `${lagOperation} holds the event loop for ${lag} ms`;
  return growth > MEMORY_LIMIT ? `the process grows by ${growth} bytes` : undefined;
}

/** What child processes measure: after a case that ends its process, a new process goes on with the next case. */
async function measure(
  folder: string,
  jobs: readonly Job[],
  exactness: "exact" | "quick",
): Promise<(Measured | undefined)[]> {
  const list = join(folder, "cases.json");
  const paths = [...new Set(jobs.map(({ path }) => path))];
  const cases = jobs.map(({ path, large }) => {
    const patches = (large.patches ?? []).map(
      ({ offset, bytes }) => [offset, bytes.toString("hex")] as const,
    );
    return [paths.indexOf(path), patches] as const;
  });
  writeFileSync(list, JSON.stringify({ paths, cases } satisfies JobList));
  const results: (Measured | undefined)[] = [];
  while (results.length < jobs.length) {
    const settings = ["--max-old-space-size=300", "--expose-gc", ...LOADER];
    const child = spawn(process.execPath, [...settings, CHILD, list, `${results.length}`, exactness], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_OPTIONS: "", TS_NODE_TRANSPILE_ONLY: "1" },
    });
    let timer = setTimeout(() => child.kill("SIGKILL"), HANG);
    for await (const line of createInterface(child.stdout)) {
      results.push(JSON.parse(line) as Measured);
      clearTimeout(timer);
      timer = setTimeout(() => child.kill("SIGKILL"), HANG);
    }
    clearTimeout(timer);
    if (results.length < jobs.length) results.push(undefined);
  }
  return results;
}

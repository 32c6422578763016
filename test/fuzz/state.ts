/** What is kept between runs, in a folder outside the project: counts, inputs that reach new code, findings. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Report } from "./report.js";

export interface Count {
  inputs: number;
  /** Seconds for which they were run. */
  seconds: number;
}

/** A finding as it is kept: as a regression, in the project. */
export interface Kept extends Report {
  readonly target: string;
  /** Of the run that found it. */
  readonly seed: number;
}

export interface State {
  readonly folder: string;
  readonly counts: Readonly<Record<string, Count>>;
  /** Adds to the counts of `target`, and writes them. */
  add(target: string, inputs: number, seconds: number): void;
  findings(): Kept[];
  /** Keeps a finding; the name of its file. */
  keep(finding: Kept): string;
  /** Puts a finding aside that cannot be shown any more. */
  retire(finding: Kept): void;
}

/**
 * Takes `folder` for this process. @throws {Error} where another campaign that is alive has it: the two would overwrite
 * each other's counts.
 */
export function lockState(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "pid");
  const other = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (other !== "" && existsSync(`/proc/${other}`) && readFileSync(`/proc/${other}/cmdline`).includes("fuzz"))
    throw new Error(
      `process ${other} runs a campaign with the state in ${folder}: end it, or use another --state`,
    );
  writeFileSync(path, String(process.pid));
}

export function openState(folder: string): State {
  for (const name of ["findings", "retired", "corpus", "bin"])
    mkdirSync(join(folder, name), { recursive: true });
  const path = join(folder, "counts.json");
  const counts = (readJson(path) as Record<string, Count> | undefined) ?? {};
  return {
    folder,
    counts,
    add(target, inputs, seconds) {
      const count = (counts[target] ??= { inputs: 0, seconds: 0 });
      count.inputs += inputs;
      count.seconds += seconds;
      writeFileSync(`${path}.new`, JSON.stringify(counts, undefined, 2));
      renameSync(`${path}.new`, path);
    },
    findings: () =>
      readdirSync(join(folder, "findings")).flatMap(
        (name) => (readJson(join(folder, "findings", name)) as Kept | undefined) ?? [],
      ),
    keep(finding) {
      const file = join(folder, "findings", fileOf(finding));
      writeFileSync(file, `${JSON.stringify(finding, undefined, 2)}\n`);
      return file;
    },
    retire(finding) {
      renameSync(join(folder, "findings", fileOf(finding)), join(folder, "retired", fileOf(finding)));
    },
  };
}

/** What makes two findings one. */
export function keyOf({ target, label, signature }: Pick<Kept, "target" | "label" | "signature">): string {
  return `${target} ${label} ${signature}`;
}

/** The name of the file that a finding is kept in: the same for all that look the same. */
export function fileOf(finding: Kept): string {
  const hash = createHash("sha1").update(keyOf(finding)).digest("hex").slice(0, 8);
  return `${finding.target}-${finding.label.replace(/\W+/g, "-")}-${finding.kind}-${hash}.json`;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined; // not there, or half written when the machine went down
  }
}

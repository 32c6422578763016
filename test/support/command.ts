/** The built `vdisk` command, and the other programs of the host, as a person runs them. */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const VDISK = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** The sample machine: the base (the snapshot), and the newest state. */
export const BASE = fileURLToPath(new URL("../../images/web/web.vdi", import.meta.url));
const snapshots = new URL("../../images/web/Snapshots/", import.meta.url);
export const NEWEST = fileURLToPath(new URL(encodeURI(readdirSync(snapshots)[0]!), snapshots));

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** tap puts a loader before every Node process that is started here; the command runs without. */
const UNTAPPED = ["/usr/bin/env", "NODE_OPTIONS="] as const;

/** Runs a program to its end, off this thread: a mount that this process serves must not wait for itself. */
export function run(
  program: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(UNTAPPED[0], [UNTAPPED[1], program, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (part: Buffer) => out.push(part));
    child.stderr.on("data", (part: Buffer) => err.push(part));
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}

/** Runs `vdisk`. */
export function vdisk(...args: string[]): Promise<Result> {
  return run(process.execPath, [VDISK, ...args]);
}

/** Standard output of a program that must succeed. */
export async function output(program: string, ...args: string[]): Promise<string> {
  const result = await run(program, args);
  if (result.code !== 0)
    throw new Error(`${program} ${args.join(" ")}: ${result.code}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** For clean-up: whatever comes of it. */
export function attempt(program: string, ...args: string[]): void {
  spawnSync(program, args, { stdio: "ignore" });
}

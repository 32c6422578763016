/** Mounts that another process serves, and commands that read from them. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmdirSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Mounted {
  readonly path: string;
  readonly daemon: ChildProcess;
  /** The daemon's next line. */
  next(): Promise<unknown>;
  say(line: string): void;
  /** Unmounts, whatever state the daemon is in, and removes the mount point. */
  end(): Promise<void>;
}

export interface MountSettings {
  readonly backend: "native" | "fuse-native";
  readonly tree: "sample" | "full" | "wide" | "slow";
  readonly options?: object;
  /** Arguments before the daemon's own: "setpriv …". */
  readonly as?: readonly string[];
  /** Where to mount. Default: a new directory. */
  readonly path?: string;
}

/** The loader that tap uses to run TypeScript. */
export const LOADER = process.execArgv.filter((argument) => argument.includes("/typescript/"));
const DAEMON = fileURLToPath(new URL("daemon.ts", import.meta.url));

/** Runs a program until it ends. Never rejects. */
export function run(
  file: string,
  args: readonly string[],
): Promise<{ code: number | string; stdout: Buffer; stderr: string }> {
  return new Promise((resolve) => {
    const options = {
      encoding: "buffer" as const,
      maxBuffer: 2 ** 29,
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    };
    execFile(file, args, options, (error, stdout, stderr) => {
      resolve({
        code: error === null ? 0 : (error.code ?? error.signal ?? "?"),
        stdout,
        stderr: stderr.toString(),
      });
    });
  });
}

/** The output of a program that succeeds. */
export async function output(file: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(file, args);
  if (code !== 0) throw new Error(`${file} ${args.join(" ")}: ${code}: ${stderr}`);
  return stdout.toString();
}

/** The JSON that the Python program `script` prints. */
export async function python<T>(script: string, ...args: string[]): Promise<T> {
  return JSON.parse(await output("python3", "-c", `import os, sys, json\n${script}`, ...args)) as T;
}

/** Starts a daemon. Its first line is "mounted", or the error. */
export async function start(settings: MountSettings): Promise<Mounted & { first: unknown }> {
  const own = settings.path === undefined ? mkdtempSync(join(tmpdir(), "vdisk-fuse-")) : undefined;
  if (own !== undefined) chmodSync(own, 0o777);
  const path = own ?? settings.path!;
  const { backend, tree, options = {}, as = [] } = settings;
  const node = [process.execPath, ...LOADER, DAEMON, backend, tree, path, JSON.stringify(options)];
  const [file, ...args] = [...as, ...node] as [string, ...string[]];
  const daemon = spawn(file, args, {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, NODE_OPTIONS: "", TS_NODE_TRANSPILE_ONLY: "1" },
  });
  const lines = createInterface(daemon.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const line = await lines.next();
    return line.done === true ? undefined : JSON.parse(line.value);
  };
  return {
    path,
    daemon,
    next,
    first: await next(),
    say: (line) => daemon.stdin.write(`${line}\n`),
    async end() {
      while (isMounted(path)) await run("umount", ["-l", path]);
      if (daemon.exitCode === null && daemon.signalCode === null) {
        daemon.kill("SIGKILL");
        await new Promise((resolve) => daemon.once("close", resolve));
      }
      if (own !== undefined) rmdirSync(own);
    },
  };
}

/** A mount that is being served. */
export async function mounted(settings: MountSettings): Promise<Mounted> {
  const mount = await start(settings);
  if (mount.first !== "mounted") {
    await mount.end();
    throw new Error(`not mounted: ${JSON.stringify(mount.first)}`);
  }
  return mount;
}

export function isMounted(path: string): boolean {
  return readFileSync("/proc/self/mounts", "utf8").includes(` ${path} `);
}

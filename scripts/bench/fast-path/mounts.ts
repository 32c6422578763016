/** What is measured: vdisk and its peers, each mounted on a new folder for one turn. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { output, run, VDISK } from "../../../test/support/command.js";

export interface Mount {
  /** What to read: a flat disk, or the root of a file system. */
  readonly path: string;
  /** The process that serves, where it is known. */
  readonly pid?: number;
}

/** Serves something in the empty folder `at`, which is where a mount is made when no file is asked for. */
export type Serve = (at: string) => Promise<Mount>;

/** How long a server may take to begin and to end. */
const PATIENCE = 10_000; // ms

/** Folders of the mounts that stand now. */
const standing = new Set<string>();

/** Mounts, works, unmounts, and waits until the server is gone. */
export async function during<T>(serve: Serve, work: (mount: Mount) => Promise<T>): Promise<T> {
  const at = mkdtempSync(join(tmpdir(), "vdisk-bench-"));
  standing.add(at);
  try {
    const mount = await serve(at);
    const result = await work(mount);
    await clear(at, false);
    if (mount.pid !== undefined) await until(() => !existsSync(`/proc/${mount.pid}`));
    return result;
  } finally {
    await clear(at, true);
  }
}

/** Unmounts all that stands, busy or not. */
export async function clearAll(): Promise<void> {
  for (const at of standing) await clear(at, true);
}

/** A folder's mounts, and the server that left its number there, end; this process's beat goes on meanwhile. */
async function clear(at: string, isLast: boolean): Promise<void> {
  const pidFile = join(at, "pid");
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .flatMap((line) => line.split(" ")[1] ?? [])
    .filter((point) => point.startsWith(at));
  for (const point of points) await run("umount", [...(isLast ? ["-l"] : []), point]);
  if (!points.includes(at) && existsSync(pidFile)) await run("kill", [readFileSync(pidFile, "utf8").trim()]);
  if (!isLast) return;
  rmSync(at, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  standing.delete(at);
}

/** Our disk, flat; its file systems are beside that as `fsN`. */
export function ours(image: string, backend: "native" | "fuse-native" | "auto" = "auto"): Serve {
  return async (at) => {
    const said = await output(process.execPath, VDISK, "mount", image, at, "--fuse-backend", backend);
    const log = said.split("its log is ")[1]!.trim();
    const { pid } = JSON.parse(readFileSync(log, "utf8").split("\n")[0]!) as { pid: number };
    return { path: join(at, "vhdd"), pid };
  };
}

/** The storage daemon's FUSE export, which takes the place of a file. */
export function qemu(image: string, format: "vdi" | "qcow2"): Serve {
  return async (at) => {
    const path = join(at, "disk");
    writeFileSync(path, "");
    await output(
      ...["qemu-storage-daemon", "--daemonize", "--pidfile", join(at, "pid")],
      ...["--blockdev", `driver=file,node-name=file,filename=${image},read-only=on`],
      ...["--blockdev", `driver=${format},node-name=disk,file=file,read-only=on`],
      ...["--export", `type=fuse,id=export,node-name=disk,mountpoint=${path},writable=off`],
    );
    return { path, pid: Number(readFileSync(join(at, "pid"), "utf8")) };
  };
}

export function xmount(image: string): Serve {
  return async (at) => {
    await output("xmount", "--in", "raw", image, "--out", "raw", at);
    return {
      path: join(
        at,
        readdirSync(at).find((name) => name.endsWith(".dd"))!,
      ),
    };
  };
}

/** Files, flat, or a file of answers, through the least that can serve them; the path is that of the first. */
export function bare(server: string, threads: number, ...files: string[]): Serve {
  return async (at) => {
    const { pid } = spawn(server, [String(threads), at, ...files], { stdio: "ignore" });
    await until(() => isMounted(at));
    return { path: join(at, basename(files[0]!)), ...(pid !== undefined && { pid }) };
  };
}

/** The kernel's own mount of the ext4 at `offset` of a raw disk. */
export function loop(image: string, offset: number): Serve {
  return async (at) => {
    await output("mount", "-o", `ro,noload,loop,offset=${offset}`, image, at);
    return { path: at };
  };
}

export function fuse2fs(image: string, offset: number): Serve {
  return async (at) => {
    await output("fuse2fs", image, at, "-o", `ro,norecovery,offset=${offset}`);
    return { path: at };
  };
}

/** No server: the file itself. */
export function itself(path: string): Serve {
  return async () => ({ path });
}

function isMounted(at: string): boolean {
  return statSync(at).dev !== statSync(join(at, "..")).dev;
}

async function until(isSo: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (!isSo()) {
    if (Date.now() > end) throw new Error("a server did not begin or end in time");
    await sleep(10);
  }
}

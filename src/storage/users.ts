/**
 * Finds the programs that may write to files: those that have them open for writing, or hold a lock for it. VirtualBox locks
 * nothing, so its open descriptors are looked at. qemu locks single bytes, each of which stands for one kind of access. The
 * writes of a loop device belong to no process. On Linux only; elsewhere nothing is found.
 */
import { unlessHostFails } from "../errors.js";
import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename } from "node:path";
import { fileKey, parseLocks, type FileLock } from "./locks.js";

export interface FileUser {
  /** The path that the caller passed. */
  readonly path: string;
  readonly how: "open for writing" | "locked";
  /** Absent if the host does not show it to this user. */
  readonly process?: Process;
  /** The loop device that uses the file: "/dev/loop0". */
  readonly device?: string;
}

export interface Process {
  readonly pid: number;
  readonly program: string;
}

/** Returns a user in words: `VirtualBoxVM (process 123)`, or the loop device. */
export function printUser({ process, device }: FileUser): string {
  return (
    device ?? (process === undefined ? "another program" : `${process.program} (process ${process.pid})`)
  );
}

/**
 * Descriptors of other processes that are looked at, those of the youngest processes first. Each takes some microseconds;
 * a few hundred processes have some thousand descriptors.
 */
const SCAN_LIMIT = 8000;

/** Returns the programs that may write to any of `paths`, without this process. Never throws. */
export function usersOf(paths: readonly string[]): FileUser[] {
  if (process.platform !== "linux") return [];
  const files = paths.flatMap(identify);
  const writers = writersOf(files);
  const byKey = new Map(files.map((file) => [file.key, file]));
  const users = [...writers, ...loopsOf(files)];
  for (const lock of parseLocks(textOf("/proc/locks"))) {
    const path = byKey.get(lock.file)?.path;
    if (path === undefined || lock.pid === process.pid || !isWriters(lock)) continue;
    const same = users.filter((user) => user.path === path);
    if (same.some((user) => lock.pid === undefined || user.process?.pid === lock.pid)) continue;
    users.push({ path, how: "locked", ...(lock.pid !== undefined && { process: processOf(lock.pid) }) });
  }
  return users;
}

interface File {
  readonly path: string;
  /** The file's name after all symbolic links. */
  readonly name: string;
  /** As `fileKey` returns it. */
  readonly key: string;
}

function identify(path: string): File[] {
  const key = keyOf(path);
  return key === undefined ? [] : [{ path, name: nameOf(path), key }];
}

function nameOf(path: string): string {
  return basename(unlessHostFails(() => realpathSync.native(path), path));
}

function keyOf(path: string): string | undefined {
  // If this fails, opening the file reports why.
  const stats = unlessHostFails(() => statSync(path), undefined);
  return stats && fileKey(stats.dev, stats.ino);
}

/**
 * The bytes on which qemu has a shared lock for each kind of access: read, write, write without changes, resize.
 * Source: qemu block/file-posix.c, RAW_LOCK_PERM_BASE; include/block/block-common.h, BLK_PERM_*.
 */
const QEMU_FIRST = 100;
const QEMU_LAST = 103;
const QEMU_WRITES = [101, 103];

/** Whether the holder of `lock` may write. A shared lock on other bytes is a reader's. */
function isWriters({ isExclusive, start, end }: FileLock): boolean {
  const isQemu = start >= QEMU_FIRST && end <= QEMU_LAST;
  return isExclusive || (isQemu && QEMU_WRITES.some((byte) => start <= byte && byte <= end));
}

/** Returns the processes that have any of `files` open for writing. Only root sees other users' processes. */
function writersOf(files: readonly File[]): FileUser[] {
  const names = new Set(files.map(({ name }) => name));
  const writers: FileUser[] = [];
  let looks = 0;
  const pids = list("/proc").map(Number);
  for (const pid of pids.filter((pid) => pid > 0 && pid !== process.pid).sort((a, b) => b - a)) {
    const known = new Set<string>();
    for (const fd of list(`/proc/${pid}/fd`)) {
      if (++looks > SCAN_LIMIT) return writers;
      // Reading the link's text is fast and never waits for a file server; it rules out most descriptors.
      if (!names.has(basename(targetOf(pid, fd))) || !isForWriting(pid, fd)) continue;
      const opened = keyOf(`/proc/${pid}/fd/${fd}`);
      const path = files.find(({ key }) => key === opened)?.path;
      if (path === undefined || known.has(path)) continue;
      known.add(path);
      writers.push({ path, how: "open for writing", process: processOf(pid) });
    }
  }
  return writers;
}

/** Returns the loop devices that write to any of `files`. Source: Linux drivers/block/loop.c, loop_attr_backing_file_show. */
function loopsOf(files: readonly File[]): FileUser[] {
  const names = new Set(files.map(({ name }) => name));
  return list("/sys/block").flatMap((device) => {
    if (!device.startsWith("loop")) return [];
    const backing = textOf(`/sys/block/${device}/loop/backing_file`).replace(/\n$/, "");
    if (!names.has(basename(backing)) || textOf(`/sys/block/${device}/ro`).trim() !== "0") return [];
    const key = keyOf(backing);
    const path = files.find((file) => file.key === key)?.path;
    return path === undefined ? [] : [{ path, how: "open for writing", device: `/dev/${device}` }];
  });
}

/** `O_WRONLY` and `O_RDWR` among the flags, which are octal (proc_pid_fdinfo(5)). */
function isForWriting(pid: number, fd: string): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(textOf(`/proc/${pid}/fdinfo/${fd}`))?.[1];
  return flags !== undefined && (parseInt(flags, 8) & 3) !== 0;
}

function processOf(pid: number): Process {
  const [command = ""] = textOf(`/proc/${pid}/cmdline`).split("\0");
  return { pid, program: basename(command) || textOf(`/proc/${pid}/comm`).trim() };
}

/** Returns the names in the folder `path`; none if it cannot be read. */
function list(path: string): string[] {
  return unlessHostFails(() => readdirSync(path), []);
}

function targetOf(pid: number, fd: string): string {
  return unlessHostFails(() => readlinkSync(`/proc/${pid}/fd/${fd}`), "");
}

function textOf(path: string): string {
  return unlessHostFails(() => readFileSync(path, "utf8"), "");
}

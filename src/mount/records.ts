/** What is kept of a mount outside its process: a record while it is served, and its log, also afterwards. */
import { createHash, randomUUID } from "node:crypto";
import {
  access,
  constants,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { platform, tmpdir } from "node:os";
import { basename, isAbsolute, join } from "node:path";
import { DeniedError, fromHost, isErrnoException, whenHostFails } from "../errors.js";
import { homeFolder } from "../storage/home.js";
import { isRunning } from "./process.js";

/** A mount that is being served. */
export interface MountRecord {
  readonly pid: number;
  /** The PID namespace that `pid` belongs to. */
  readonly pidNamespace?: string | undefined;
  readonly image: string;
  readonly mountPoint: string;
  readonly backend: string;
  readonly log: string;
  /** When it was mounted, as ISO 8601. */
  readonly since?: string;
}

export interface StateFiles {
  readonly record: string;
  /** One line a message, in JSON. A new mount on the same mount point begins it anew. */
  readonly log: string;
}

/** Where the state of a mount on `mountPoint` (absolute) is kept; the folder exists afterwards. */
export async function stateFiles(mountPoint: string): Promise<StateFiles> {
  const folder = await stateFolder();
  const digest = createHash("sha256").update(mountPoint).digest("hex").slice(0, 8);
  const name = join(folder, `${basename(mountPoint).slice(0, 64) || "root"}-${digest}`);
  return { record: `${name}.json`, log: `${name}.log` };
}

/** Of logs whose mount is starting. */
const STARTING = "starting-";

/** Milliseconds after which nobody looks for the reason any more why a mount did not start. */
const STARTING_KEPT = 24 * 3600 * 1000;

/** Where the log of this process's mount is kept until it is known where that is; the folder exists afterwards. */
export async function newLog(): Promise<string> {
  const folder = await stateFolder();
  const now = Date.now();
  for (const name of await readdir(folder)) {
    if (!name.startsWith(STARTING)) continue;
    const [pid, began] = (/(\d+)-(\d+)/.exec(name) ?? []).slice(1).map(Number);
    const file = join(folder, name);
    // Who was killed between making it and beginning the process has left it empty.
    const isEmpty = (await stat(file).catch(whenHostFails(undefined)))?.size === 0;
    if ((isEmpty && !isRunning(pid!)) || now - began! > STARTING_KEPT) await rm(file, { force: true });
  }
  return join(folder, `${STARTING}${process.pid}-${now}.log`);
}

/**
 * Writes `record` to a new file that then takes the name `path`: a reader sees the old record or the new one, and a
 * symbolic link in that place is replaced, not followed.
 * @throws {DiskError} as the host says.
 */
export async function writeRecord(path: string, record: MountRecord): Promise<void> {
  const written = `${path}.${process.pid}-${randomUUID()}`;
  try {
    await writeFile(written, `${JSON.stringify(record)}\n`, { mode: 0o600, flag: "wx" });
    await rename(written, path);
  } catch (error) {
    await rm(written, { force: true }).catch(whenHostFails(undefined));
    throw fromHost(error, path);
  }
}

/** The record at `path`; `undefined` where there is none, or none that can be read. */
export async function readRecord(path: string): Promise<MountRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(path, "utf8")) as Partial<MountRecord> | null;
    const isWhole = typeof record?.mountPoint === "string" && Number.isInteger(record.pid);
    return isWhole ? (record as MountRecord) : undefined;
  } catch (error) {
    // A record only helps; the mount table is what counts.
    if (isErrnoException(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The records of all mounts, also of such as ended without removing theirs. */
export async function readRecords(): Promise<MountRecord[]> {
  const folder = await stateFolder();
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  const records = await Promise.all(names.map((name) => readRecord(join(folder, name))));
  return records.filter((record) => record !== undefined);
}

export async function removeRecord(path: string): Promise<void> {
  await rm(path, { force: true });
}

/**
 * `$XDG_STATE_HOME/vdisk` or its like. Where there is no home, or it is not writable: the user's own folder for running
 * programs, `$XDG_RUNTIME_DIR/vdisk`, or else one in the folder for temporary files.
 */
async function stateFolder(): Promise<string> {
  for (const parent of [stateHome(), await runtimeFolder()]) {
    if (parent === undefined) continue;
    const folder = join(parent, "vdisk");
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await access(folder, constants.W_OK);
      return folder;
    } catch (error) {
      if (!isErrnoException(error)) throw error; // the next place
    }
  }
  return temporaryFolder();
}

function stateHome(): string | undefined {
  const home = homeFolder();
  if (platform() === "darwin") return home === undefined ? undefined : join(home, "Library", "Logs");
  // An empty or relative path is no folder to keep anything in (XDG Base Directory Specification 0.8, "Basics").
  const told = process.env["XDG_STATE_HOME"] ?? "";
  if (isAbsolute(told)) return told;
  return home === undefined ? undefined : join(home, ".local", "state");
}

/** Another user's, as sudo may hand it on, is not used. */
async function runtimeFolder(): Promise<string | undefined> {
  const told = process.env["XDG_RUNTIME_DIR"] ?? "";
  return isAbsolute(told) && (await isOwn(told).catch(whenHostFails(undefined))) === true ? told : undefined;
}

async function temporaryFolder(): Promise<string> {
  const folder = join(tmpdir(), `vdisk-${process.geteuid!()}`);
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw fromHost(error, folder);
  });
  const isUsable = await isOwn(folder).catch((error: unknown) => {
    throw fromHost(error, folder);
  });
  if (isUsable) return folder;
  throw new DeniedError({
    file: folder,
    thing: "this folder for logs belongs to somebody else",
    hint: "set XDG_STATE_HOME",
  });
}

/** Whether `path` is a folder, not a link to one, that only this user can write to. */
async function isOwn(path: string): Promise<boolean> {
  const stats = await lstat(path);
  return stats.isDirectory() && stats.uid === process.geteuid!() && (stats.mode & 0o022) === 0;
}

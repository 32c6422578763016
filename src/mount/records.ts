/** The files that belong to a mount: a record while it is served, and a log, which stays afterwards. */
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
  /** One line of JSON for each message. A new mount on the same mount point replaces it. */
  readonly log: string;
}

/** Returns the paths of the files for a mount on `mountPoint` (absolute), and creates their folder. */
export async function stateFiles(mountPoint: string): Promise<StateFiles> {
  const folder = await stateFolder();
  const digest = createHash("sha256").update(mountPoint).digest("hex").slice(0, 8);
  const name = join(folder, `${basename(mountPoint).slice(0, 64) || "root"}-${digest}`);
  return { record: `${name}.json`, log: `${name}.log` };
}

/** Prefix of the logs of mounts that are starting. */
const STARTING = "starting-";

/** Milliseconds after which the log of a mount that did not start is deleted. */
const STARTING_KEPT = 24 * 3600 * 1000;

/** Returns the path of a log for a mount whose mount point is not known yet. Deletes old ones, and creates the folder. */
export async function newLog(): Promise<string> {
  const folder = await stateFolder();
  const now = Date.now();
  for (const name of await readdir(folder)) {
    if (!name.startsWith(STARTING)) continue;
    const [pid, began] = (/(\d+)-(\d+)/.exec(name) ?? []).slice(1).map(Number);
    const file = join(folder, name);
    // A command that was killed after creating the log, before the mount's process started, has left it empty.
    const isEmpty = (await stat(file).catch(whenHostFails(undefined)))?.size === 0;
    if ((isEmpty && !isRunning(pid!)) || now - began! > STARTING_KEPT) await rm(file, { force: true });
  }
  return join(folder, `${STARTING}${process.pid}-${now}.log`);
}

/**
 * Writes `record` to a new file and renames it to `path`: a reader sees the old record or the new one, and a symbolic link at
 * `path` is replaced, not followed.
 * @throws {DiskError} if a system call fails.
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

/** Returns the record at `path`; undefined if there is none, or if it cannot be read. */
export async function readRecord(path: string): Promise<MountRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(path, "utf8")) as Partial<MountRecord> | null;
    const isWhole = typeof record?.mountPoint === "string" && Number.isInteger(record.pid);
    return isWhole ? (record as MountRecord) : undefined;
  } catch (error) {
    // A missing record is no error: the mount table says what is mounted.
    if (isErrnoException(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Returns the records of all mounts, also of mounts that ended without removing theirs. */
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
 * Returns `$XDG_STATE_HOME/vdisk` (by default in the user's home). If there is no home, or it is not writable, returns
 * `$XDG_RUNTIME_DIR/vdisk`, or else a folder in the one for temporary files.
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
      if (!isErrnoException(error)) throw error; // try the next one
    }
  }
  return temporaryFolder();
}

function stateHome(): string | undefined {
  const home = homeFolder();
  if (platform() === "darwin") return home === undefined ? undefined : join(home, "Library", "Logs");
  // An empty or relative path is no folder to keep anything in (XDG Base Directory Specification 0.8, "Basics").
  const configured = process.env["XDG_STATE_HOME"] ?? "";
  if (isAbsolute(configured)) return configured;
  return home === undefined ? undefined : join(home, ".local", "state");
}

/** Returns `$XDG_RUNTIME_DIR`, unless it belongs to another user, as with sudo. */
async function runtimeFolder(): Promise<string | undefined> {
  const configured = process.env["XDG_RUNTIME_DIR"] ?? "";
  return isAbsolute(configured) && (await isOwn(configured).catch(whenHostFails(undefined))) === true
    ? configured
    : undefined;
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
    thing: "this folder for logs belongs to another user",
    hint: "set XDG_STATE_HOME",
  });
}

/** Whether `path` is a folder, not a symbolic link, that only this user can write to. */
async function isOwn(path: string): Promise<boolean> {
  const stats = await lstat(path);
  return stats.isDirectory() && stats.uid === process.geteuid!() && (stats.mode & 0o022) === 0;
}

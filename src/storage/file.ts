/** Files and block devices of the host, opened for reading only. */
import { constants, fstatSync, type Stats } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import { resolve } from "node:path";
import { CorruptError, fromHost, UnsupportedError } from "../errors.js";
import { loadAddon } from "./addon.js";
import type { Storage } from "./storage.js";

/**
 * Opens the regular file or block device `path`.
 * @param name what complaints call it; `path` unless told.
 * @throws {MissingError | DeniedError | HostError} as the host says.
 * @throws {UnsupportedError} for a directory, a pipe, a socket or a character device.
 */
export async function openFile(path: string, name = path): Promise<Storage> {
  // Before it is opened, since that alone can do things: a pipe's writer goes on, a watchdog begins to count.
  refuseOthers(await stat(path).catch(failed(name)), name);
  const handle = await openQuietly(path, name);
  try {
    const stats = fstatSync(handle.fd); // on the spot: a chain has hundreds of images
    refuseOthers(stats, name); // the name may have been swapped
    const size = stats.isBlockDevice() ? await deviceSize(handle) : stats.size;
    return new FileStorage(resolve(path), name, size, handle);
  } catch (error) {
    await handle.close();
    throw fromHost(error, name);
  }
}

class FileStorage implements Storage {
  readonly path: string;
  readonly name: string;
  readonly size: number;
  readonly #handle: FileHandle;

  constructor(path: string, name: string, size: number, handle: FileHandle) {
    this.path = path;
    this.name = name;
    this.size = size;
    this.#handle = handle;
  }

  get fd(): number {
    return this.#handle.fd;
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    let done = into.length <= SMALL_READ ? readCached(this.fd, into, offset) : 0;
    while (done < into.length) {
      const { bytesRead } = await this.#handle
        .read(into, done, into.length - done, offset + done)
        .catch(failed(this.name));
      if (bytesRead === 0) {
        throw new CorruptError({
          file: this.name,
          offset: offset + done,
          thing: "the file's end",
          // It may have been cut since it was opened: its size then is no longer true.
          found: offset + done >= this.size ? `byte ${this.size}` : `at byte ${offset + done} or before it`,
          expected: `${into.length - done} bytes further; the image is cut short`,
        });
      }
      done += bytesRead;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/**
 * Bytes of reads that are tried on the spot: what the host has in memory is copied sooner than a thread is woken,
 * and metadata is read in small pieces, one after the other.
 */
export const SMALL_READ = 64 * 2 ** 10;

/** How many bytes of `into` could be had without waiting, from the first on. */
function readCached(fd: number, into: Uint8Array, offset: number): number {
  const addon = loadAddon();
  return typeof addon === "string" ? 0 : Math.max(0, addon.readCached(fd, into, offset));
}

/**
 * Opens without leaving a trace: O_NOATIME keeps the access time where the host lets us (the owner and root),
 * O_NONBLOCK keeps a pipe in an image's place from blocking for ever.
 */
async function openQuietly(path: string, name: string): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  // Absent on macOS, whatever the type says.
  const noAccessTime = (constants.O_NOATIME as number | undefined) ?? 0;
  try {
    return await open(path, flags | noAccessTime);
  } catch (error) {
    if (noAccessTime === 0 || (error as NodeJS.ErrnoException).code !== "EPERM") throw fromHost(error, name);
  }
  return open(path, flags).catch(failed(name));
}

/** What is thrown in place of the host's complaint about `name`. */
function failed(name: string): (error: unknown) => never {
  return (error) => {
    throw fromHost(error, name);
  };
}

/** @throws {UnsupportedError} for what is neither a file nor a block device. */
export function refuseOthers(stats: Stats, name: string): void {
  if (stats.isFile() || stats.isBlockDevice()) return;
  const expected = "a disk image or a block device";
  throw new UnsupportedError({ file: name, thing: "this", found: kindOf(stats), expected });
}

/** A block device's size: stat says 0. Without the addon, the last readable byte is searched for. */
async function deviceSize(handle: FileHandle): Promise<number> {
  const addon = loadAddon();
  return typeof addon === "string" ? searchEnd(handle) : addon.blockDeviceSize(handle.fd);
}

/** Bytes that every device's size is a multiple of. */
const SECTOR = 512;

async function searchEnd(handle: FileHandle): Promise<number> {
  const probe = Buffer.alloc(SECTOR);
  const reads = async (sector: number): Promise<boolean> => {
    const result = await handle.read(probe, 0, SECTOR, sector * SECTOR).catch(() => undefined);
    return result?.bytesRead === SECTOR;
  };
  let ended = 1;
  while (await reads(ended)) ended *= 2;
  let readable = Math.floor(ended / 2);
  while (ended - readable > 1) {
    const middle = Math.floor((readable + ended) / 2);
    if (await reads(middle)) readable = middle;
    else ended = middle;
  }
  return (await reads(0)) ? ended * SECTOR : 0;
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a pipe";
  if (stats.isSocket()) return "a socket";
  return "a character device";
}

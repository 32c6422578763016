/** Files and block devices of the host, opened for reading only. */
import { close, fstatSync, read, type Stats } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { CorruptError, fromHost, HostError, isErrnoException, UnsupportedError } from "../errors.js";
import { loadAddon } from "./addon.js";
import { pinFile, type Pin } from "./pin.js";
import { descriptorOf, type Storage } from "./storage.js";

// Descriptors as numbers, not as FileHandles: when a worker ends, Node closes FileHandles first, and the addon's
// threads may still be reading; numbers it closes last.
const readDescriptor = promisify(read);
const closeDescriptor = promisify(close);

/**
 * Opens the regular file or block device `path`.
 * @param name the file's name in error messages; `path` by default.
 * @throws {MissingError | DeniedError | HostError} as the host says.
 * @throws {UnsupportedError} for a directory, a pipe, a socket or a character device.
 */
export async function openFile(path: string, name = path): Promise<Storage> {
  return openPinned(await pinFile(path, name), path, name);
}

/** Opens the file of `pin`, which was found at `path`, and releases the pin; otherwise as `openFile`. */
export async function openPinned(pin: Pin, path: string, name: string): Promise<Storage> {
  try {
    refuseOthers(pin.stats, name);
    const fd = await pin.open();
    try {
      const stats = fstatSync(fd); // synchronous: a chain has hundreds of images
      const size = stats.isBlockDevice() ? await deviceSize(fd) : stats.size;
      return new FileStorage(resolve(path), name, size, fd);
    } catch (error) {
      await closeDescriptor(fd);
      throw error;
    }
  } catch (error) {
    throw fromHost(error, name);
  } finally {
    pin.release();
  }
}

/** What the host knows of an open file. */
export interface FileFacts {
  /** Device and inode: equal for the same file, whatever it is called. */
  readonly inode: string;
  /** When it was last written to: milliseconds since 1970. */
  readonly modified: number;
}

/** Returns what the host knows of the open file `storage`; undefined if it has no descriptor. */
export function fileFacts(storage: Storage): FileFacts | undefined {
  const fd = descriptorOf(storage);
  if (fd < 0) return undefined;
  const { dev, ino, mtimeNs } = fstatSync(fd, { bigint: true });
  return { inode: `${dev}:${ino}`, modified: Number(mtimeNs) / 1e6 };
}

/** In place of a descriptor that was closed. */
const CLOSED = -1;

class FileStorage implements Storage {
  readonly location: string;
  readonly name: string;
  readonly size: number;
  #fd: number;
  #holds = 0;
  #released: (() => void) | undefined;

  constructor(path: string, name: string, size: number, fd: number) {
    this.location = path;
    this.name = name;
    this.size = size;
    this.#fd = fd;
  }

  get fd(): number {
    return this.#fd;
  }

  hold(): () => void {
    this.#holds++;
    return () => {
      if (--this.#holds === 0) this.#released?.();
    };
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    const done = into.length <= SMALL_READ ? readCached(this.#fd, into, offset) : 0;
    if (done === into.length) return;
    const release = this.hold();
    try {
      await this.#readRest(into, offset, done);
    } finally {
      release();
    }
  }

  /** Reads all but the first `done` bytes of `into`. */
  async #readRest(into: Uint8Array, offset: number, done: number): Promise<void> {
    const fd = this.#fd;
    if (fd === CLOSED) throw new HostError({ file: this.name, thing: "this file is closed" }, "EBADF");
    while (done < into.length) {
      const left = into.length - done;
      const { bytesRead } = await readDescriptor(fd, into, done, left, offset + done).catch(
        failed(this.name),
      );
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
    const fd = this.#fd;
    this.#fd = CLOSED; // no new read may use the number
    if (fd === CLOSED) return;
    // Closed earlier, the number may mean another file while something still reads from it.
    if (this.#holds > 0) await new Promise<void>((resolve) => (this.#released = resolve));
    await closeDescriptor(fd).catch(failed(this.name));
  }
}

/**
 * Reads of up to so many bytes are first tried synchronously: what the host has cached is copied sooner than a thread wakes,
 * and metadata is read in small pieces, one after the other.
 */
export const SMALL_READ = 64 * 2 ** 10;

/** Fills the first bytes of `into` without waiting, from the host's cache; returns how many. */
function readCached(fd: number, into: Uint8Array, offset: number): number {
  const addon = loadAddon();
  return typeof addon === "string" ? 0 : Math.max(0, addon.readCached(fd, into, offset));
}

/** A handler that throws a DiskError about `name` in place of the host's error. */
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
async function deviceSize(fd: number): Promise<number> {
  const addon = loadAddon();
  return typeof addon === "string" ? searchEnd(fd) : addon.blockDeviceSize(fd);
}

/** Bytes that every device's size is a multiple of. */
const SECTOR = 512;

async function searchEnd(fd: number): Promise<number> {
  const probe = Buffer.alloc(SECTOR);
  const reads = async (sector: number): Promise<boolean> => {
    try {
      return (await readDescriptor(fd, probe, 0, SECTOR, sector * SECTOR)).bytesRead === SECTOR;
    } catch (error) {
      if (isErrnoException(error)) return false;
      throw error;
    }
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

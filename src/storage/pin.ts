/**
 * Opens exactly the file that was checked. Between two system calls, a name may come to lead to another file. So the name is
 * used once, to pin the file; checking and opening then use the pin. On Linux, a pin is an O_PATH descriptor, which
 * identifies a file without opening it: opening has effects on pipes and some devices. Elsewhere, the file that was opened
 * must have the inode of the file that was checked.
 */
import {
  close,
  closeSync,
  constants,
  fstatSync,
  open,
  readlinkSync,
  type BigIntStats,
  type Stats,
} from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { DeniedError, fromHost, isErrnoException } from "../errors.js";
import { loadAddon, type Addon } from "./addon.js";

/** A file that was found by its name, but is not open yet. */
export interface Pin {
  readonly stats: Stats;
  /**
   * Opens the pinned file for reading, and returns a descriptor that the caller closes.
   * @throws {DeniedError | HostError} as the host says; DeniedError also if it is another file now.
   */
  open(): Promise<number>;
  /** Releases the pin. Descriptors that `open` returned stay open. */
  release(): void;
}

/** Source: Linux include/uapi/asm-generic/fcntl.h. Node does not name it. */
const O_PATH = 0o10000000;

/** Fail if any part of the path is a symbolic link. Source: xnu bsd/sys/fcntl.h, macOS 11. Earlier systems ignore it. */
const O_NOFOLLOW_ANY = 0x20000000;

const openDescriptor = promisify(open);

/**
 * Pins the file at `path`, following symbolic links.
 * @param name the file's name in error messages.
 * @throws {MissingError | DeniedError | HostError} as the host says.
 */
export async function pinFile(path: string, name: string): Promise<Pin> {
  try {
    if (process.platform !== "linux") return await unpinned(path, name, await stat(path), 0);
    return pinned(await openDescriptor(path, O_PATH), path, name);
  } catch (error) {
    throw fromHost(error, name);
  }
}

/**
 * Pins the file at `path`, which contains no symbolic link.
 * @param name the file's name in error messages.
 * @param addon the loaded addon, or why there is none.
 * @throws {DeniedError} if a part of `path` is a symbolic link now, so that another file would be opened.
 * @throws {MissingError | HostError} as the host says.
 */
export async function pinResolved(
  path: string,
  name: string,
  addon: Addon | string = loadAddon(),
): Promise<Pin> {
  try {
    if (process.platform !== "linux") {
      const stats = await stat(path);
      if ((await realpath(path)) !== path) throw replaced(name);
      return await unpinned(path, name, stats, process.platform === "darwin" ? O_NOFOLLOW_ANY : 0);
    }
    if (typeof addon !== "string") {
      const fd = addon.openResolved(path);
      if (fd >= 0) {
        return pinned(fd, path, name, () => {
          addon.closeDescriptor(fd);
        });
      }
    }
    // Opening by name either reports why that failed, or returns a file, which must have the path that was checked.
    const fd = await openDescriptor(path, O_PATH);
    if (placeOf(fd) === path) return pinned(fd, path, name);
    closeSync(fd);
    throw replaced(name);
  } catch (error) {
    throw fromHost(error, name);
  }
}

/**
 * Returns the path of the open file `fd`, without symbolic links; undefined if it is unknown. Source: proc_pid_fd(5).
 */
export function placeOf(fd: number): string | undefined {
  try {
    return readlinkSync(descriptorPath(fd));
  } catch (error) {
    if (isErrnoException(error)) return undefined;
    throw error;
  }
}

const descriptorPath = (fd: number): string => `/proc/self/fd/${fd}`;

function pinned(pin: number, path: string, name: string, release?: () => void): Pin {
  return {
    stats: fstatSync(pin),
    async open() {
      try {
        return await openQuietly(descriptorPath(pin));
      } catch (error) {
        if (!isErrnoException(error)) throw error;
      }
      // Without access to /proc, the file is opened by its name; without access to the file, this throws the error.
      return openSame(path, name, fstatSync(pin, { bigint: true }), 0);
    },
    release() {
      if (release === undefined) closeSync(pin);
      else release();
    },
  };
}

/** A pin on systems without O_PATH: the file's inode number. */
async function unpinned(path: string, name: string, stats: Stats, flags: number): Promise<Pin> {
  const exact = await stat(path, { bigint: true });
  return { stats, open: () => openSame(path, name, exact, flags), release: () => undefined };
}

/** Opens `path` by its name. @throws {DeniedError} if it is not the file of `stats`. */
async function openSame(path: string, name: string, stats: BigIntStats, flags: number): Promise<number> {
  try {
    const fd = await openQuietly(path, flags);
    const opened = fstatSync(fd, { bigint: true });
    if (opened.ino === stats.ino && opened.dev === stats.dev) return fd;
    await promisify(close)(fd);
    throw replaced(name);
  } catch (error) {
    throw fromHost(error, name);
  }
}

/**
 * Opens for reading. O_NOATIME keeps the access time if the host allows it (to the file's owner and to root); O_NONBLOCK
 * prevents waiting for a writer if the file has been replaced by a pipe.
 */
async function openQuietly(path: string, extra = 0): Promise<number> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | extra;
  // Absent on macOS, whatever the type says.
  const noAccessTime = (constants.O_NOATIME as number | undefined) ?? 0;
  try {
    return await openDescriptor(path, flags | noAccessTime);
  } catch (error) {
    if (noAccessTime === 0 || (error as NodeJS.ErrnoException).code !== "EPERM") throw error;
    return openDescriptor(path, flags);
  }
}

function replaced(name: string): DeniedError {
  return new DeniedError({
    file: name,
    thing: "this file was replaced while it was being opened",
    hint: "try again",
  });
}

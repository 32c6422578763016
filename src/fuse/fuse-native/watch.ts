/** Noticing that a mount has ended, whoever ended it: the package does not tell. */
import { whenHostFails } from "../../errors.js";
import { stat } from "node:fs/promises";

/** Milliseconds between two looks whether the mount is still there. */
const LOOK_INTERVAL = 200;

export interface Watch {
  /** Settles when the mount is no more. Until then the process is kept alive. */
  readonly gone: Promise<void>;
  /** Looks at once. */
  readonly look: () => Promise<void>;
}

/**
 * Watches what is mounted on `target` now.
 * @throws {Error} of Node when `target` cannot be looked at.
 */
export async function watchMount(target: string): Promise<Watch> {
  const { dev } = await stat(target);
  const entry = await numberOfEntry(dev);
  const isThere = async (): Promise<boolean> => {
    if (entry !== undefined) return (await numberOfEntry(dev)) === entry;
    // No such entries, as on macOS: a mount that is detached cannot be told from one that has ended.
    return (await stat(target).catch(whenHostFails(undefined)))?.dev === dev;
  };
  let settle!: () => void;
  const gone = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const look = async (): Promise<void> => {
    if (await isThere()) return;
    clearInterval(timer);
    settle();
  };
  const timer = setInterval(() => void look(), LOOK_INTERVAL);
  return { gone, look };
}

/**
 * The inode number of Linux' entry for device `dev`; `undefined` where there is none. The entry lasts as long as
 * the mount's files are open, also after it was detached. The device's number goes to the next mount at once, but
 * sysfs numbers its inodes in a circle of 64 bits (__kernfs_new_node in fs/kernfs/dir.c).
 */
async function numberOfEntry(dev: number): Promise<bigint | undefined> {
  if (process.platform !== "linux") return undefined;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00); // the major number is 0: the mount has no device
  const stats = await stat(`/sys/class/bdi/0:${minor}`, { bigint: true }).catch(whenHostFails(undefined));
  return stats?.ino;
}

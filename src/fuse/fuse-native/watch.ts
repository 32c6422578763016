/** Detects that a mount has ended, which the package does not report. */
import { whenHostFails } from "../../errors.js";
import { stat } from "node:fs/promises";

/** Milliseconds between two checks. */
const CHECK_INTERVAL = 200;

export interface Watch {
  /** Resolves when the mount has ended. Keeps the process alive until then. */
  readonly ended: Promise<void>;
  /** Checks now. */
  readonly check: () => Promise<void>;
}

/**
 * Watches the mount on `target`.
 * @throws {Error} of Node's if stat(2) of `target` fails.
 */
export async function watchMount(target: string): Promise<Watch> {
  const { dev } = await stat(target);
  const entry = await numberOfEntry(dev);
  const isMounted = async (): Promise<boolean> => {
    if (entry !== undefined) return (await numberOfEntry(dev)) === entry;
    // Without sysfs, as on macOS, a detached mount cannot be distinguished from one that has ended.
    return (await stat(target).catch(whenHostFails(undefined)))?.dev === dev;
  };
  let settle!: () => void;
  const ended = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const check = async (): Promise<void> => {
    if (await isMounted()) return;
    clearInterval(timer);
    settle();
  };
  const timer = setInterval(() => void check(), CHECK_INTERVAL);
  return { ended, check };
}

/**
 * The inode number of the entry for device `dev` in sysfs; `undefined` if there is none. The entry exists until the last
 * open file of the mount is closed, even if the mount was detached. The kernel gives the device number to the next mount at
 * once, but its entry has another inode number, as sysfs uses 64 bits of them (__kernfs_new_node in fs/kernfs/dir.c).
 */
async function numberOfEntry(dev: number): Promise<bigint | undefined> {
  if (process.platform !== "linux") return undefined;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00); // the major number is 0: the mount has no device
  const stats = await stat(`/sys/class/bdi/0:${minor}`, { bigint: true }).catch(whenHostFails(undefined));
  return stats?.ino;
}

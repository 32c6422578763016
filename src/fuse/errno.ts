/** Errors: their errno for the kernel, and their messages in the log. */
import { constants } from "node:os";
import type { Logger } from "pino";
import { DeniedError, DiskError, HostError, UnsupportedError } from "../errors.js";
import { Interrupted } from "../extent/time-slice.js";

/** Positive errno numbers by name. */
export const { errno: Errno } = constants;

/** The errno for `error`: EIO for damage, and for a bug in vdisk. */
export function errnoOf(error: unknown): number {
  if (error instanceof Interrupted) return Errno.EINTR;
  if (error instanceof UnsupportedError) return Errno.EOPNOTSUPP;
  if (error instanceof DeniedError) return Errno.EACCES;
  if (error instanceof HostError) return (Errno as Record<string, number>)[error.errno] ?? Errno.EIO;
  return Errno.EIO;
}

/** Different messages that one mount logs at most: a badly damaged disk would fill the log. */
const MESSAGE_LIMIT = 10_000;

/** Creates a function that logs an error, unless it has logged the same message before, and returns its errno. */
export function errorReporter(log: Logger): (error: unknown) => number {
  const logged = new Set<string>();
  return (error) => {
    if (error instanceof Interrupted) return Errno.EINTR; // not an error of the disk
    const message = error instanceof Error ? error.message : String(error);
    if (!logged.has(message) && logged.size < MESSAGE_LIMIT) {
      logged.add(message);
      if (error instanceof DiskError) log.error(message);
      else log.error(error, "a bug in vdisk: please report it");
      if (logged.size === MESSAGE_LIMIT)
        log.error(`${MESSAGE_LIMIT} different errors were logged; further ones are not`);
    }
    return errnoOf(error);
  };
}

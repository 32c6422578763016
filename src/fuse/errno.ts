/** What the kernel is told when something goes wrong, and what the log is told. */
import { constants } from "node:os";
import type { Logger } from "pino";
import { DeniedError, DiskError, HostError, UnsupportedError } from "../errors.js";
import { Interrupted } from "../extent/time-slice.js";

/** Errno numbers, positive, by name. */
export const { errno: Errno } = constants;

/** The errno for `error`; EIO for damage, and for a bug of ours. */
export function errnoOf(error: unknown): number {
  if (error instanceof Interrupted) return Errno.EINTR;
  if (error instanceof UnsupportedError) return Errno.EOPNOTSUPP;
  if (error instanceof DeniedError) return Errno.EACCES;
  if (error instanceof HostError) return (Errno as Record<string, number>)[error.errno] ?? Errno.EIO;
  return Errno.EIO;
}

/** Different messages that one mount logs: a badly damaged disk has no end of them. */
const MESSAGE_LIMIT = 10_000;

/** A function that logs each error once, however often it is thrown, and returns its errno. */
export function complainer(log: Logger): (error: unknown) => number {
  const said = new Set<string>();
  return (error) => {
    if (error instanceof Interrupted) return Errno.EINTR; // nothing is wrong
    const message = error instanceof Error ? error.message : String(error);
    if (!said.has(message) && said.size < MESSAGE_LIMIT) {
      said.add(message);
      if (error instanceof DiskError) log.error(message);
      else log.error(error, "a bug in vdisk: please report it");
      if (said.size === MESSAGE_LIMIT)
        log.error("that were very many complaints: further ones are not logged");
    }
    return errnoOf(error);
  };
}

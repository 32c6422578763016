/** Waiting for promises that work on the same buffer. */
import { DiskError } from "../errors.js";

/**
 * Waits until all of `promises` have settled, so that none of them writes to its buffer any more.
 * @throws the first error that is no DiskError, which is a bug; else the first DiskError.
 */
export async function settleAll(promises: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  const errors = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason as unknown] : [],
  );
  if (errors.length > 0) throw errors.find((error) => !(error instanceof DiskError)) ?? errors[0];
}

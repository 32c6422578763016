/** Waits for several promises, also when one of them fails. */
import { DiskError } from "../errors.js";

/**
 * Waits until all of `promises` have settled: after that, none of them uses a buffer or a file any more.
 * @throws the first error that is not a DiskError (a bug), or else the first DiskError.
 */
export async function settleAll(promises: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  const errors = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason as unknown] : [],
  );
  if (errors.length > 0) throw errors.find((error) => !(error instanceof DiskError)) ?? errors[0];
}

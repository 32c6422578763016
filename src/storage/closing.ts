/** Closing files and images, also when something fails. */
import { settleAll } from "../bytes/settle.js";
import { thrownElsewhere } from "../errors.js";

export interface Closable {
  close(): Promise<void>;
}

/**
 * Closes all of `resources`, also when closing one of them fails.
 * @throws the first error that is no DiskError; else the first DiskError.
 */
export async function closeAll(resources: Iterable<Closable>): Promise<void> {
  await settleAll(Array.from(resources, (resource) => resource.close()));
}

/** Returns what `use` returns. If it fails, closes `resource` and throws the error of `use`. */
export async function closeOnError<T>(resource: Closable, use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    await resource.close().catch(thrownElsewhere);
    throw error;
  }
}

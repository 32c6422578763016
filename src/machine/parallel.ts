/** Runs the same work on many items, a bounded number of them at the same time. */
import { settleAll } from "../bytes/settle.js";

/**
 * The results of `work` for each of `items`, in their order. At most `width` calls are in progress at once. After an error
 * no further call begins, and the calls in progress are waited for.
 * @throws the first error of `work`; one that is not a DiskError, which is a bug, takes precedence.
 */
export async function mapParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      try {
        results[at] = await work(items[at]!);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  await settleAll(Array.from({ length: Math.min(width, items.length) }, worker));
  return results;
}

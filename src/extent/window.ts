import { derivedChanges, rangeWithin } from "../bytes/changes.js";
import type { BlockSource } from "./extent.js";

/**
 * The part `[offset, offset + size)` of `source`, as a source of its own: a partition, say.
 * @throws {RangeError} when the part is not within the source: a bug of the caller's.
 */
export function window(source: BlockSource, offset: number, size: number, name: string): BlockSource {
  if (offset < 0 || size < 0 || offset + size > source.size) {
    throw new RangeError(
      `${name}: bytes ${offset} to ${offset + size} are not within the ${source.size} of ${source.name}`,
    );
  }
  const changes = derivedChanges([source.changes], (range) => rangeWithin(range, offset, size));
  return { name, size, changes, map: (at, length) => source.map(offset + at, length) };
}

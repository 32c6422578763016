/**
 * Parts one after the other, as one source: the files of a split image, the extents of a VMDK, the segments of a logical
 * volume.
 */
import { derivedChanges, rangeWithin } from "../bytes/changes.js";
import { firstIndex } from "../bytes/integers.js";
import { DiskError } from "../errors.js";
import { Builder } from "./builder.js";
import { lengthOf, type Extent, type LayerExtent, type Mapped } from "./extent.js";
import { yieldIfDue } from "./time-slice.js";

export interface Part<E extends LayerExtent = Extent> {
  /** Bytes that it takes up in the whole. What `source` has beyond them is not used. */
  readonly length: number;
  /** Where its bytes come from; undefined if there is nothing: a missing file, or an extent of zeros. */
  readonly source: Mapped<E> | undefined;
  /** Returns an extent of `length` bytes for what `source` lacks: a hole, or damage. */
  readonly filler: (length: number) => E;
}

type Damaged = Extract<Extent, { kind: "damaged" }>;

/** Parts that one call of `map` asks at most. */
const PARTS_AT_ONCE = 64;

/**
 * The bytes of `parts`, one after the other. If a part throws a DiskError instead of mapping a range, that range is damaged,
 * and other parts are not affected.
 */
export function concatenate<E extends LayerExtent = Extent>(
  name: string,
  parts: readonly Part<E>[],
): Mapped<E | Damaged> & { readonly name: string } {
  const ends: number[] = [];
  let size = 0;
  for (const { length } of parts) ends.push((size += length));
  const changes = derivedChanges(
    parts.map(({ source }) => source?.changes),
    (range, index) => {
      const { length } = parts[index]!;
      const inside = rangeWithin(range, 0, length);
      return inside && { offset: ends[index]! - length + inside.offset, length: inside.length };
    },
  );
  return {
    name,
    size,
    changes,
    async map(offset, length) {
      const extents = new Builder<E | Damaged>();
      const end = Math.min(offset + length, size);
      let index = firstIndex(ends.length, (part) => ends[part]! > offset);
      for (
        let at = offset, asked = 0;
        at < end && asked < PARTS_AT_ONCE && !extents.isFull;
        index++, asked++
      ) {
        const turn = yieldIfDue();
        if (turn !== undefined) await turn;
        const part = parts[index]!;
        const wanted = Math.min(end, ends[index]!) - at;
        const found = await mapPart(part, at - (ends[index]! - part.length), wanted);
        extents.addAll(found);
        const done = lengthOf(found);
        if (done < wanted) break;
        at += done;
      }
      return extents.list;
    },
  };
}

/** What `[offset, offset + length)` of `part` consists of, or the beginning of that. */
async function mapPart<E extends LayerExtent>(
  { source, filler }: Part<E>,
  offset: number,
  length: number,
): Promise<(E | Damaged)[]> {
  const inside = Math.max(0, Math.min(length, (source?.size ?? 0) - offset));
  if (source === undefined || inside === 0) return [filler(length)];
  try {
    const found = await source.map(offset, inside);
    return inside < length && lengthOf(found) === inside ? [...found, filler(length - inside)] : found;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return [{ kind: "damaged", length: inside, error }];
  }
}

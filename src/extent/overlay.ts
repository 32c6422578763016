/**
 * A chain as one disk. What the layers say about a window of the disk is resolved once, from the top layer down,
 * and the result is cached: a read costs one look-up, however deep the chain is.
 */
import { derivedChanges, rangeWithin } from "../bytes/changes.js";
import { withinMemory } from "../bytes/memory.js";
import { DiskError, HostError } from "../errors.js";
import { Builder } from "./builder.js";
import {
  append,
  lengthOf,
  slice,
  sliceList,
  type BlockSource,
  type Extent,
  type LayerExtent,
  type Mapped,
} from "./extent.js";
import { loadingCache } from "./loading.js";
import { yieldIfDue } from "./time-slice.js";

/** One image of a chain. The overlay maps only runs below `size`, and leaves those that are absent to the layer below. */
export type MappedLayer = Mapped<LayerExtent>;

/** Bytes of the disk that are resolved together, with one call of each layer's `map`: 64 of VDI's usual blocks. */
const WINDOW_SIZE = 64 * 2 ** 20;

/** Windows that a disk has at most: those of a larger one than 64 TiB are larger. */
const WINDOW_COUNT = 2 ** 20;

/** Steps that one call of `map` takes at most. */
const STEPS_AT_ONCE = 64;

/**
 * Steps of one call that are windows. A longer range is a search for data or holes: each further step is twice as long as
 * the one before, and is not cached.
 */
const WINDOW_STEPS = 4;

/** Extents that are cached, over all windows of one disk: about 100 bytes each. */
const EXTENT_LIMIT = Math.max(16_000, withinMemory(64_000));

/** Where a window has too many extents for one answer, this many smaller windows are in its place, and so on. */
const WINDOW_PARTS = 64;

/** The resolved beginning of a window. */
interface Piece {
  readonly extents: Extent[];
  /** Bytes. */
  readonly length: number;
}

/**
 * The disk that `layers` make, from the top (the newest) to the base. Its size is the top layer's. Past the end
 * of a smaller layer are zeros, whatever lies below: the disk ended there. What is absent in all layers is zeros, too.
 */
export function overlay(layers: readonly MappedLayer[], name: string, windowSize = WINDOW_SIZE): BlockSource {
  const size = layers[0]?.size ?? 0;
  while (size > windowSize * WINDOW_COUNT) windowSize *= 2;
  const resolveAt = async (start: number, end: number): Promise<Piece> => {
    const extents = await resolve(layers, start, Math.min(end, size) - start);
    const length = lengthOf(extents);
    if (length === 0) throw new RangeError(`${name}: nothing is mapped at byte ${start}`);
    // What the host failed to read now, it may read the next time.
    if (extents.some(isFailure)) pieces.forget(start);
    return { extents, length };
  };
  // By where the window begins. A smaller window that begins at the same place has the same entry.
  const pieces = loadingCache<number, Piece, number>(
    EXTENT_LIMIT,
    ({ extents }) => extents.length + 1,
    (start, length) => resolveAt(start, start + length),
  );
  const changes = derivedChanges(
    layers.map((layer) => layer.changes),
    (range) => {
      pieces.clear();
      return rangeWithin(range, 0, size);
    },
  );
  return {
    name,
    size,
    changes,
    async map(offset, length) {
      const extents = new Builder<Extent>();
      const end = offset + length;
      for (let at = offset, step = 0; at < end && step < STEPS_AT_ONCE; step++) {
        if (step >= WINDOW_STEPS) {
          const piece = await resolveAt(at, Math.min(end, at + windowSize * 2 ** (step - WINDOW_STEPS + 1)));
          extents.addAll(piece.extents);
          at += piece.length;
          if (extents.isFull) break;
          continue;
        }
        let start: number;
        let piece: Piece;
        for (let part = windowSize; ; part = Math.ceil(part / WINDOW_PARTS)) {
          start = at - (at % part);
          const known = part > 1 ? pieces.peek(start) : undefined;
          piece = known ?? (await (part > 1 ? pieces.load(start, part) : resolveAt(at, end)));
          if (at < start + piece.length) break;
        }
        const part = Math.min(end, start + piece.length) - at;
        const found = sliceList(piece.extents, at - start, part);
        if (part === length) return found; // the usual case
        extents.addAll(found);
        at += part;
        if (extents.isFull) break;
      }
      return extents.list;
    },
  };
}

/** Resolves the beginning of a run from the top layer down. Each layer maps only what the ones above left absent. */
async function resolve(layers: readonly MappedLayer[], offset: number, length: number): Promise<Extent[]> {
  let pending: LayerExtent[] = [{ kind: "absent", length }];
  for (const layer of layers) {
    pending = await below(pending, layer, offset);
    if (!pending.some(isAbsent)) break;
    const turn = yieldIfDue();
    if (turn !== undefined) await turn;
  }
  const resolved: Extent[] = [];
  for (const extent of pending) {
    append(resolved, extent.kind === "absent" ? { kind: "zero", length: extent.length } : extent);
  }
  return resolved;
}

/**
 * `extents`, which begin at `offset`, with their absent runs replaced by what `layer` maps there, as far as it goes. One
 * call maps from the first absent run to the last: a call costs far more than extents that are not needed.
 */
async function below(extents: LayerExtent[], layer: MappedLayer, offset: number): Promise<LayerExtent[]> {
  const first = extents.findIndex(isAbsent);
  const last = extents.findLastIndex(isAbsent);
  const start = offset + lengthOf(extents.slice(0, first));
  const covered = extents.slice(first, last + 1);
  const merged = new Builder<LayerExtent>();
  merged.addAll(extents.slice(0, first));
  const found = await mapWithin(layer, start, lengthOf(covered)).catch(ifDamaged);
  if (found instanceof DiskError) {
    // The damage may be hidden by a layer above: map each run by itself.
    for (let index = 0, at = start; index < covered.length; index++) {
      const extent = covered[index]!;
      const { length } = extent;
      const run = isAbsent(extent) ? await mapWithin(layer, at, length).catch(ifDamaged) : [extent];
      if (run instanceof DiskError) merged.add({ kind: "damaged", length, error: run });
      else {
        merged.addAll(run);
        if (lengthOf(run) < length) return merged.list;
      }
      at += length;
    }
  } else {
    fillAbsent(merged, covered, found);
    if (lengthOf(found) < lengthOf(covered)) return merged.list;
  }
  merged.addAll(extents.slice(last + 1));
  return merged.list;
}

/** Appends `upper` to `merged`, with its absent runs replaced from `lower`, as far as `lower` goes. */
function fillAbsent(merged: Builder<LayerExtent>, upper: LayerExtent[], lower: LayerExtent[]): void {
  let index = 0;
  let skip = 0; // within lower[index]
  for (const extent of upper) {
    let done = 0;
    while (done < extent.length && index < lower.length) {
      const other = lower[index]!;
      const part = Math.min(extent.length - done, other.length - skip);
      if (isAbsent(extent)) merged.add(slice(other, skip, part));
      done += part;
      skip += part;
      if (skip === other.length) [index, skip] = [index + 1, 0];
    }
    if (!isAbsent(extent)) merged.add(slice(extent, 0, done));
  }
}

/** Maps the beginning of a run that may reach past the layer's end. */
async function mapWithin(layer: MappedLayer, offset: number, length: number): Promise<LayerExtent[]> {
  const inside = Math.max(0, Math.min(length, layer.size - offset));
  const extents = inside > 0 ? [...(await layer.map(offset, inside))] : [];
  if (lengthOf(extents) === inside) append(extents, { kind: "zero", length: length - inside });
  return extents;
}

/** Returns a DiskError as a value; throws any other error, which is a bug. */
function ifDamaged(error: unknown): DiskError {
  if (error instanceof DiskError) return error;
  throw error;
}

function isAbsent(extent: LayerExtent): boolean {
  return extent.kind === "absent";
}

function isFailure(extent: Extent): boolean {
  return extent.kind === "damaged" && extent.error instanceof HostError;
}

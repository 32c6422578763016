/**
 * A chain as one disk. What the layers say about a window of the disk is resolved once, from the top layer down,
 * and kept: a read costs one look-up, however deep the chain is.
 */
import { append, slice, sliceList, type BlockSource, type Extent, type LayerExtent } from "./extent.js";
import { loadingCache } from "./loading.js";

/** What one image of a chain tells of itself; the chain above it asks only for runs below `size`. */
export interface MappedLayer {
  /** Bytes. */
  readonly size: number;
  /** As `BlockSource.map`, except that `absent` runs are left to the layer below. */
  map(offset: number, length: number): Promise<LayerExtent[]>;
}

/** Bytes of the disk that are resolved at once: 64 of VDI's usual blocks. Each asks every layer once. */
const WINDOW_SIZE = 64 * 2 ** 20;

/** Extents kept, over all windows of one disk: about 100 bytes each. */
const EXTENT_LIMIT = 64_000;

/**
 * The disk that `layers` make, from the top (the newest) to the base. Its size is the top layer's. Past the end
 * of a smaller layer are zeros, whatever lies below: the disk had ended there. So is what is absent in all layers.
 */
export function overlay(layers: readonly MappedLayer[], name: string, windowSize = WINDOW_SIZE): BlockSource {
  const size = layers[0]?.size ?? 0;
  const resolveWindow = (index: number): Promise<Extent[]> => {
    const start = index * windowSize;
    return resolve(layers, start, Math.min(windowSize, size - start));
  };
  const sizeOf = (extents: Extent[]): number => extents.length + 1;
  const windows = loadingCache<number, Extent[]>(EXTENT_LIMIT, sizeOf, resolveWindow);
  return {
    name,
    size,
    async map(offset, length) {
      const extents: Extent[] = [];
      for (let at = offset; at < offset + length;) {
        const index = Math.floor(at / windowSize);
        const skip = at - index * windowSize;
        const part = Math.min(offset + length - at, windowSize - skip);
        const loading = windows.get(index, undefined);
        const found = sliceList(loading instanceof Promise ? await loading : loading, skip, part);
        if (part === length) return found; // as a rule
        for (const extent of found) append(extents, extent);
        at += part;
      }
      return extents;
    },
  };
}

/** What the layers say about a run, from the top down. Only what one leaves absent is asked of the next. */
async function resolve(layers: readonly MappedLayer[], offset: number, length: number): Promise<Extent[]> {
  let pending: LayerExtent[] = [{ kind: "absent", length }];
  for (const layer of layers) {
    pending = await below(pending, layer, offset);
    if (!pending.some(isAbsent)) break;
  }
  const resolved: Extent[] = [];
  for (const extent of pending) {
    append(resolved, extent.kind === "absent" ? { kind: "zero", length: extent.length } : extent);
  }
  return resolved;
}

/**
 * `extents`, which begin at `offset`, with their absent runs as `layer` has them. The layer is asked once, for all
 * from the first absent run to the last: a call costs far more than the extents that are not needed.
 */
async function below(extents: LayerExtent[], layer: MappedLayer, offset: number): Promise<LayerExtent[]> {
  const first = extents.findIndex(isAbsent);
  const last = extents.findLastIndex(isAbsent);
  const start = offset + lengthOf(extents.slice(0, first));
  const covered = extents.slice(first, last + 1);
  const found = await mapWithin(layer, start, lengthOf(covered)).catch(() => undefined);
  const merged = extents.slice(0, first);
  if (found !== undefined) fillAbsent(merged, covered, found);
  else {
    // What failed may be damage that a layer above hides: each run is asked for by itself.
    let at = start;
    for (const extent of covered) {
      const run = isAbsent(extent) ? await mapWithin(layer, at, extent.length) : [extent];
      for (const part of run) append(merged, part);
      at += extent.length;
    }
  }
  for (const extent of extents.slice(last + 1)) append(merged, extent);
  return merged;
}

/** Appends `upper` to `merged`, its absent runs taken from `lower`, which is as long. */
function fillAbsent(merged: LayerExtent[], upper: LayerExtent[], lower: LayerExtent[]): void {
  let index = 0;
  let skip = 0; // within lower[index]
  for (const extent of upper) {
    for (let left = extent.length; left > 0;) {
      const other = lower[index]!;
      const part = Math.min(left, other.length - skip);
      if (isAbsent(extent)) append(merged, slice(other, skip, part));
      left -= part;
      skip += part;
      if (skip === other.length) [index, skip] = [index + 1, 0];
    }
    if (!isAbsent(extent)) append(merged, extent);
  }
}

/** What `layer` says about a run that may reach past its end. */
async function mapWithin(layer: MappedLayer, offset: number, length: number): Promise<LayerExtent[]> {
  const inside = Math.max(0, Math.min(length, layer.size - offset));
  const extents = inside > 0 ? [...(await layer.map(offset, inside))] : [];
  append(extents, { kind: "zero", length: length - inside });
  return extents;
}

function isAbsent(extent: LayerExtent): boolean {
  return extent.kind === "absent";
}

function lengthOf(extents: readonly LayerExtent[]): number {
  return extents.reduce((sum, { length }) => sum + length, 0);
}

/**
 * A chain as one disk. What the layers say about a window of the disk is resolved once, from the top layer down,
 * and kept: a read costs one look-up, however deep the chain is.
 */
import { LRUCache } from "lru-cache";
import { append, sliceList, type BlockSource, type Extent, type LayerExtent } from "./extent.js";

/** What one image of a chain tells of itself; the chain above it asks only for runs below `size`. */
export interface MappedLayer {
  /** Bytes. */
  readonly size: number;
  /** As `BlockSource.map`, except that `absent` runs are left to the layer below. */
  map(offset: number, length: number): Promise<LayerExtent[]>;
}

/** Bytes of the disk that are resolved at once: sixteen of VDI's usual blocks. */
const WINDOW_SIZE = 16 * 2 ** 20;

/** Extents kept, over all windows of one disk: about 100 bytes each. */
const EXTENT_LIMIT = 200_000;

/**
 * The disk that `layers` make, from the top (the newest) to the base. Its size is the top layer's. Past the end
 * of a smaller layer are zeros, whatever lies below: the disk had ended there. So is what is absent in all layers.
 */
export function overlay(layers: readonly MappedLayer[], name: string): BlockSource {
  const size = layers[0]?.size ?? 0;
  const windows = new LRUCache<number, Extent[]>({
    maxSize: EXTENT_LIMIT,
    sizeCalculation: (extents) => extents.length + 1,
    fetchMethod: (index) => {
      const start = index * WINDOW_SIZE;
      return resolve(layers, start, Math.min(WINDOW_SIZE, size - start));
    },
  });
  const windowAt = async (index: number): Promise<Extent[]> => {
    const extents = windows.get(index) ?? (await windows.fetch(index));
    if (extents !== undefined) return extents;
    const start = index * WINDOW_SIZE; // more extents in one window than the cache may hold
    return resolve(layers, start, Math.min(WINDOW_SIZE, size - start));
  };
  return {
    name,
    size,
    async map(offset, length) {
      const extents: Extent[] = [];
      for (let at = offset; at < offset + length;) {
        const index = Math.floor(at / WINDOW_SIZE);
        const skip = at - index * WINDOW_SIZE;
        const part = Math.min(offset + length - at, WINDOW_SIZE - skip);
        for (const extent of sliceList(await windowAt(index), skip, part)) append(extents, extent);
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
    const merged: LayerExtent[] = [];
    let at = offset;
    for (const extent of pending) {
      if (extent.kind === "absent") {
        const inside = Math.max(0, Math.min(extent.length, layer.size - at));
        if (inside > 0) for (const found of await layer.map(at, inside)) append(merged, found);
        append(merged, { kind: "zero", length: extent.length - inside });
      } else {
        append(merged, extent);
      }
      at += extent.length;
    }
    pending = merged;
    if (!pending.some((extent) => extent.kind === "absent")) break;
  }
  const resolved: Extent[] = [];
  for (const extent of pending) {
    append(resolved, extent.kind === "absent" ? { kind: "zero", length: extent.length } : extent);
  }
  return resolved;
}

/** What the addon's threads read by themselves: the extents of a source, window by window, as plain numbers. */
import { type BlockSource, type Extent } from "../../extent/extent.js";
import { unpackUnit } from "../../extent/read.js";
import type { NodeId } from "../../filesystem/filesystem.js";
import type { Threads } from "./threads.js";

/** Bytes of a source that are mapped and handed over at once: as many as the overlay resolves at once. */
export const WINDOW_SIZE = 64 * 2 ** 20;

/** In a descriptor's place (native-bindings/extents.h). */
const ZERO = -1;
const ELSEWHERE = -2;
const INLINE = -3;

/** Unpacked units up to this size are handed over with their window: inline files, which come by the million. */
const INLINE_SIZE = 4096;

/** Hands over windows; `give` never rejects: whoever reads what cannot be mapped hears of it. */
export function windowGiver(threads: Threads): {
  give(node: NodeId, source: BlockSource, index: number): Promise<void>;
} {
  const underWay = new Set<string>();
  return {
    async give(node, source, index) {
      const key = `${node} ${index}`;
      const start = index * WINDOW_SIZE;
      if (start >= source.size || underWay.has(key)) return;
      underWay.add(key);
      try {
        const extents = await source.map(start, Math.min(WINDOW_SIZE, source.size - start));
        const { runs, bytes } = await encode(extents);
        threads.putWindow(node, index, runs, bytes);
      } catch {
        return; // TypeScript goes on answering for this window, and says what is wrong where it is
      } finally {
        underWay.delete(key);
      }
    },
  };
}

/** Whether threads can read `extent` by themselves. */
export function isPlain(extent: Extent): boolean {
  switch (extent.kind) {
    case "stored":
      return extent.storage.fd >= 0;
    case "packed":
      return extent.unit.size <= INLINE_SIZE;
    default:
      return extent.kind === "zero";
  }
}

async function encode(extents: readonly Extent[]): Promise<{ runs: Float64Array; bytes: Buffer }> {
  const runs = new Float64Array(extents.length * 3);
  const inline: Buffer[] = [];
  let inlined = 0;
  let at = 0;
  for (const extent of extents) {
    let place = [ELSEWHERE, 0];
    if (extent.kind === "zero") place = [ZERO, 0];
    else if (extent.kind === "stored" && isPlain(extent)) place = [extent.storage.fd, extent.offset];
    else if (extent.kind === "packed" && isPlain(extent)) {
      const unpacked = await unpackUnit(extent.unit);
      inline.push(unpacked.subarray(extent.skip, extent.skip + extent.length));
      place = [INLINE, inlined];
      inlined += extent.length;
    }
    runs.set([...place, extent.length], at);
    at += 3;
  }
  return { runs, bytes: Buffer.concat(inline) };
}

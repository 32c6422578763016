/** A search for data or holes ends, however many extents there are. */
import t from "tap";
import type { BlockSource, Extent } from "../../../src/extent/extent.js";
import { findNext, PASSED_LIMIT } from "../../../src/fuse/native/holes.js";

const PIECE = 4096;
const AT_ONCE = 1024;

/** A source of 2^53 - 1 bytes in pieces of `kind`. `calls` counts how often it was mapped. */
function pieces(kind: "zero" | "damaged"): BlockSource & { calls: number } {
  const extent = (
    kind === "zero" ? { kind, length: PIECE } : { kind, length: PIECE, error: undefined }
  ) as Extent;
  return {
    name: "pieces",
    size: Number.MAX_SAFE_INTEGER,
    calls: 0,
    async map() {
      this.calls++;
      return Array.from({ length: AT_ONCE }, () => extent);
    },
  };
}

t.test("a search for a hole that passes too many extents finds the end of the file", async (t) => {
  const source = pieces("damaged");
  t.equal(await findNext(source, 0, "hole"), source.size);
  t.equal(source.calls, PASSED_LIMIT / AT_ONCE);
});

t.test(
  "a search for data that passes too many extents calls the rest data, and goes on from there",
  async (t) => {
    const source = pieces("zero");
    const first = await findNext(source, 0, "data");
    t.equal(first, PASSED_LIMIT * PIECE);
    t.equal(await findNext(source, first, "hole"), first, "where a program sees that it is a hole");
    t.equal(await findNext(source, first, "data"), 2 * first);
  },
);

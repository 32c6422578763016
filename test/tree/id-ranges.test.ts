import t from "tap";
import { idRanges } from "../../src/tree/id-ranges.js";

t.test("every number is in the range that holds it, and in no other", async (t) => {
  const all = idRanges<string>();
  const ranges = [10, 1, 2 ** 40, 3].map((length, index) => all.add(length, `tree ${index}`));
  for (const { start, length, of } of ranges) {
    t.equal(all.rangeOf(start).of, of);
    t.equal(all.rangeOf(start + length - 1).of, of);
    if (start > 0) t.not(all.rangeOf(start - 1).of, of);
  }
  for (const id of [-1, NaN, 2 ** 40 + 14, Infinity]) t.throws(() => all.rangeOf(id), { code: "MISSING" });
});

t.test("the file systems of 250 states with 255 partitions each have numbers that are exact", async (t) => {
  const all = idRanges<number>();
  for (let index = 0; index < 250 * 256; index++) {
    const { start, length } = all.add(2 ** 32, index);
    if (all.rangeOf(start + length - 1).of !== index) t.fail(`range ${index}`);
  }
  t.ok(Number.isSafeInteger(all.add(1, 0).start));
});

t.test("where the numbers end, a tree is refused, and the others keep theirs", async (t) => {
  const all = idRanges<number>();
  for (let index = 0; index < 2 ** 13; index++) all.add(2 ** 40, index);
  t.throws(() => all.add(1, 0), { code: "UNSUPPORTED", message: /at most 9007199254740992/ });
  t.equal(all.rangeOf(2 ** 53 - 1).of, 2 ** 13 - 1);
});

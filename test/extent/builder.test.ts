import t from "tap";
import { CorruptError } from "../../src/errors.js";
import { addStored, addWithin, Builder } from "../../src/extent/builder.js";
import { MAP_LIMIT, type LayerExtent } from "../../src/extent/extent.js";
import type { Run } from "../../src/extent/runs.js";
import type { Storage } from "../../src/storage/storage.js";
import { random } from "../image/random.js";

const seed = Date.now() % 2 ** 32;
t.comment(`seed ${seed}`);
const numbers = random(seed);

const problem = (): CorruptError => new CorruptError({ file: "volume", thing: "some blocks" });

/** One value for each byte: the byte of the volume, -1 for a zero, -2 for damage. */
function bytesOf(runs: readonly Run[]): number[] {
  return runs.flatMap((run) =>
    Array.from({ length: run.length }, (_, at) =>
      run.kind === "at" ? run.offset + at : run.kind === "zero" ? -1 : -2,
    ),
  );
}

t.test("what is added is cut at both ends and at both bounds of the volume, as a naive model says", (t) => {
  for (let round = 0; round < 3000; round++) {
    const bounds = { start: numbers.below(40), end: 40 + numbers.below(100) };
    const skip = numbers.below(60);
    const length = numbers.below(200);
    const builder = new Builder<Run>(skip, length);
    const model: number[] = [];
    let here = 0;
    for (let count = numbers.below(12); count > 0; count--) {
      const size = numbers.below(50);
      if (numbers.chance(0.2)) {
        builder.add({ kind: "zero", length: size });
        for (let at = 0; at < size; at++) model.push(-1);
        continue;
      }
      const offset = numbers.chance(0.5) ? here : numbers.below(180);
      addWithin(builder, { kind: "at", offset, length: size }, bounds, problem);
      for (let at = offset; at < offset + size; at++)
        model.push(at >= bounds.start && at < bounds.end ? at : -2);
      here = offset + size;
    }
    const expected = model.slice(skip, skip + length);
    if (JSON.stringify(bytesOf(builder.list)) !== JSON.stringify(expected)) {
      t.same(bytesOf(builder.list), expected, `round ${round}`);
      break;
    }
    if (expected.length === length) t.ok(builder.isFull);
    for (const [index, run] of builder.list.entries()) {
      const next = builder.list[index + 1];
      if (run.length === 0) t.fail("an empty run");
      if (run.kind === "zero" && next?.kind === "zero") t.fail("two holes side by side");
      if (run.kind === "at" && next?.kind === "at" && next.offset === run.offset + run.length)
        t.fail("two adjacent runs");
    }
  }
  t.end();
});

t.test("a list ends at the most extents that one call may return, and nothing follows a gap", (t) => {
  const builder = new Builder<Run>();
  for (let index = 0; index < MAP_LIMIT + 10; index++)
    builder.add({ kind: "at", offset: 10 * index, length: 5 });
  builder.add({ kind: "at", offset: 10 * (MAP_LIMIT - 1) + 5, length: 5 });
  t.equal(builder.list.length, MAP_LIMIT);
  t.same(builder.list.at(-1), { kind: "at", offset: 10 * (MAP_LIMIT - 1), length: 5 });
  t.ok(builder.isFull);
  t.end();
});

t.test("what lies behind the end of a file of the host is damaged, and the message says which byte", (t) => {
  const storage = { name: "a.img", size: 100 } as Storage;
  const builder = new Builder<LayerExtent>();
  addStored(builder, storage, 80, 30);
  addStored(builder, storage, 200, 5);
  const [inside, first, second] = builder.list;
  t.same(inside, { kind: "stored", storage, offset: 80, length: 20 });
  t.match(first, { kind: "damaged", length: 10 });
  t.match(second, { kind: "damaged", length: 5 });
  const message = first?.kind === "damaged" ? first.error.message : "";
  t.equal(
    message,
    "a.img, byte 0x64: the file's end is byte 100, but must be byte 110 or behind it; the image is cut short",
  );
  t.end();
});

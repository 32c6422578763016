import t from "tap";
import { CorruptError, HostError } from "../../src/errors.js";
import { concatenate, type Part } from "../../src/extent/concatenate.js";
import {
  lengthOf,
  MAP_LIMIT,
  sliceList,
  type BlockSource,
  type Extent,
  type LayerExtent,
  type Mapped,
} from "../../src/extent/extent.js";
import { mapAll } from "../../src/extent/mapping.js";
import { overlay } from "../../src/extent/overlay.js";
import { read } from "../../src/extent/read.js";
import { memorySource } from "../../src/extent/runs.js";
import { random } from "../image/random.js";

const seed = Date.now() % 2 ** 32;
t.comment(`seed ${seed}`);
const numbers = random(seed);

const hole = (length: number): Extent => ({ kind: "zero", length });

/** Maps as `source` does, but shorter at random. */
function hesitant(source: BlockSource): Mapped {
  const { size } = source;
  return { size, map: (offset, length) => source.map(offset, numbers.below(length) + 1) };
}

t.test("parts of odd sizes read as a naive model of them", async (t) => {
  for (let round = 0; round < 20; round++) {
    const parts: Part[] = [];
    const model: Buffer[] = [];
    const damage: boolean[] = [];
    for (let count = numbers.below(30) + 1; count > 0; count--) {
      const length = numbers.chance(0.1) ? 0 : numbers.below(700);
      const there = numbers.below(900); // shorter than declared, or longer
      const bytes = numbers.bytes(there);
      const isDamaged = numbers.chance(0.3);
      const error = new CorruptError({ file: "part", thing: "its end" });
      const source = numbers.chance(0.1) ? undefined : hesitant(memorySource(bytes, "part"));
      parts.push({
        length,
        source,
        filler: isDamaged ? (left) => ({ kind: "damaged", length: left, error }) : hole,
      });
      const inside = source === undefined ? 0 : Math.min(there, length);
      const whole = Buffer.alloc(length);
      bytes.copy(whole, 0, 0, inside);
      model.push(whole);
      for (let at = 0; at < length; at++) damage.push(at >= inside && isDamaged);
    }
    const expected = Buffer.concat(model);
    const source = concatenate("whole", parts);
    t.equal(source.size, expected.length);
    let wrong = 0;
    for (let read_ = 0; read_ < 300 && expected.length > 0; read_++) {
      const offset = numbers.below(expected.length);
      const length = numbers.below(Math.min(2000, expected.length - offset)) + 1;
      const isDamaged = damage.slice(offset, offset + length).includes(true);
      const found = await read(source, offset, length).catch((error: unknown) => {
        if (error instanceof CorruptError) return undefined;
        throw error;
      });
      if (
        isDamaged ? found !== undefined : found?.equals(expected.subarray(offset, offset + length)) !== true
      )
        wrong++;
    }
    t.equal(wrong, 0);
  }
});

t.test("one call answers for a bounded number of parts and extents", async (t) => {
  let asked = 0;
  const zeros: Mapped = {
    size: 10,
    map: async (_, length) => {
      asked++;
      return [hole(length)];
    },
  };
  const many = concatenate(
    "many",
    Array.from({ length: 100_000 }, () => ({ length: 10, source: zeros, filler: hole })),
  );
  t.ok(lengthOf(await many.map(5, many.size - 5)) > 0);
  t.ok(asked <= 64, `${asked} parts`);
  t.same(await mapAll(many, 5, many.size - 5), [hole(many.size - 5)], "joined to one hole");

  const unit = { size: 1, unpack: async () => Buffer.from("x") };
  const fine: Mapped = {
    size: 6000,
    map: async (_, length) =>
      Array.from({ length: Math.min(length, MAP_LIMIT) }, () => ({
        ...{ kind: "packed", length: 1, unit, skip: 0 },
      })),
  };
  const two = concatenate("two", [
    { length: 3000, source: fine, filler: hole },
    { length: 6000, source: fine, filler: hole },
  ]);
  t.equal((await two.map(0, 9000)).length, MAP_LIMIT);
  t.equal((await mapAll(two, 0, 9000)).length, 9000);
});

t.test("a part that cannot be mapped is damaged, and its neighbours are not", async (t) => {
  const sound = memorySource(Buffer.alloc(100, 1), "sound");
  const broken: Mapped = {
    size: 100,
    map: async () => {
      throw new HostError({ file: "second", thing: "an I/O error" }, "EIO");
    },
  };
  const parts = [sound, broken, sound].map((source) => ({ length: 100, source, filler: hole }));
  const whole = concatenate("whole", parts);
  t.same(await read(whole, 0, 100), Buffer.alloc(100, 1));
  t.same(await read(whole, 200, 100), Buffer.alloc(100, 1));
  await t.rejects(read(whole, 90, 20), HostError);
  t.same(
    (await whole.map(0, 300)).map(({ kind, length }) => [kind, length]),
    [
      ["packed", 100],
      ["damaged", 100],
      ["packed", 100],
    ],
  );
});

t.test("layers of a chain can be concatenated: what is absent is left to the layer below", async (t) => {
  const bytes = numbers.bytes(50);
  const unit = { size: 50, unpack: async () => bytes };
  const list: LayerExtent[] = [
    { kind: "absent", length: 10 },
    { kind: "packed", unit, skip: 10, length: 40 },
  ];
  const sparse: Mapped<LayerExtent> = {
    size: 50,
    map: async (offset, length) => sliceList(list, offset, length),
  };
  const part: Part<LayerExtent> = {
    length: 60,
    source: sparse,
    filler: (length) => ({ kind: "absent", length }),
  };
  const below = memorySource(Buffer.alloc(120, 7), "below");
  const disk = overlay([concatenate("top", [part, part]), below], "disk");
  const once = Buffer.concat([Buffer.alloc(10, 7), bytes.subarray(10), Buffer.alloc(10, 7)]);
  t.same(await read(disk, 0, 120), Buffer.concat([once, once]));
});

t.test("no parts are an empty source", async (t) => {
  t.same(await concatenate("none", []).map(0, 0), []);
});

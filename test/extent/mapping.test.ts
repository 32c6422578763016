import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { lengthOf, MAP_LIMIT, type BlockSource, type Extent } from "../../src/extent/extent.js";
import { mapAll, mapPieces } from "../../src/extent/mapping.js";
import { read } from "../../src/extent/read.js";
import { memorySource, runSource, type Run } from "../../src/extent/runs.js";
import { Interrupted } from "../../src/extent/time-slice.js";
import { random } from "../image/random.js";

const seed = Date.now() % 2 ** 32;
t.comment(`seed ${seed}`);
const numbers = random(seed);

/** `source`, which answers `limit` bytes at a time at most. */
function shortAnswers(source: BlockSource, limit: number): BlockSource {
  const { name, size } = source;
  return { name, size, map: (offset, length) => source.map(offset, Math.min(length, limit)) };
}

t.test("what is mapped piece by piece is the same, and so are the bytes", async (t) => {
  const bytes = numbers.bytes(10_000);
  const whole = memorySource(bytes, "whole");
  for (let round = 0; round < 200; round++) {
    const source = shortAnswers(whole, numbers.below(3000) + 1);
    const offset = numbers.below(bytes.length);
    const length = numbers.below(bytes.length - offset);
    t.same(await mapAll(source, offset, length), await whole.map(offset, length));
    t.ok((await read(source, offset, length)).equals(bytes.subarray(offset, offset + length)));
  }
});

t.test("no map of runs has more than so many extents, and all of them are there in the end", async (t) => {
  const volume = memorySource(numbers.bytes(1 << 20), "volume");
  const runs = Array.from({ length: 10_000 }, (_, index): Run =>
    index % 3 === 0 ? { kind: "zero", length: 7 } : { kind: "at", length: 5, offset: 1000 + 11 * index },
  );
  const size = runs.reduce((sum, { length }) => sum + length, 0);
  const starts = new Map<number, number>();
  runs.reduce((at, { length }, index) => (starts.set(at, index), at + length), 0);
  const source = runSource(volume, "file", size, async (offset) => runs.slice(starts.get(offset)));
  const first = await source.map(0, size);
  t.equal(first.length, MAP_LIMIT);
  const all: Extent[] = [];
  for await (const piece of mapPieces(source, 0, size)) {
    t.ok(piece.length <= MAP_LIMIT);
    all.push(...piece);
  }
  t.equal(all.length, runs.length);
  t.equal(lengthOf(all), size);
  t.same(await mapAll(source, 0, size), all);
});

t.test("where the volume answers short, so does the file", async (t) => {
  const bytes = numbers.bytes(5000);
  const source = runSource(
    shortAnswers(memorySource(bytes, "volume"), 30),
    "file",
    2000,
    async (offset, length) => [
      { kind: "at", length: Math.min(length, 50), offset: (3 * offset) % 4900 },
      { kind: "at", length: Math.max(0, length - 50), offset: (3 * offset + 50) % 3000 },
    ],
  );
  t.equal(lengthOf(await source.map(0, 100)), 30);
  t.ok((await read(source, 0, 30)).equals(bytes.subarray(0, 30)));
});

t.test("a source that maps nothing is a bug, not a loop without end", async (t) => {
  const empty: BlockSource = { name: "empty", size: 10, map: async () => [] };
  await t.rejects(mapAll(empty, 0, 10), RangeError);
  await t.rejects(read(empty, 0, 10), RangeError);
});

t.test("a range of very many pieces is interrupted, and others are served meanwhile", async (t) => {
  const endless: BlockSource = {
    name: "endless",
    size: 2 ** 50,
    map: async () => [{ kind: "zero", length: 1 }],
  };
  const control = new AbortController();
  const mapping = (async () => {
    let last = 0;
    for await (const piece of mapPieces(endless, 0, endless.size, control.signal)) last += lengthOf(piece);
    return last;
  })();
  await sleep(30);
  control.abort();
  await t.rejects(mapping, Interrupted);
});

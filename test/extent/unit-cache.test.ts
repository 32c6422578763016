import t from "tap";
import { ChangeFeed, type ByteRange } from "../../src/bytes/changes.js";
import type { BlockSource, ChunkedUnit, Extent, UnitId } from "../../src/extent/extent.js";
import { read } from "../../src/extent/read.js";

const SIZE = 65_536;

/** A source of one unit, whose packed bytes are stored; `value` is what they are when they are read. */
function countingSource(owner: UnitId["source"], index: number | string, size = SIZE) {
  const state = { reads: 0, value: 1 };
  const packed: BlockSource = {
    name: "packed",
    size,
    map: async (skip, length) => {
      state.reads++;
      const { value } = state;
      return [
        { kind: "packed", skip, length, unit: { size, unpack: async () => Buffer.alloc(size, value) } },
      ];
    },
  };
  /** A new object for each call, as drivers make them. */
  const unit = (): ChunkedUnit => ({
    id: { source: owner, index },
    codec: "stored",
    places: [0, size],
    chunkSize: size,
    size,
    mayBeStored: false,
    source: packed,
    runs: [{ offset: 0, length: size }],
    placeOf: () => ({ file: "packed" }),
  });
  const source = (): BlockSource => ({
    name: "file",
    size,
    map: async (skip, length): Promise<Extent[]> => [{ kind: "packed", skip, length, unit: unit() }],
  });
  return { state, source };
}

t.test("all readers of a unit share one decompression, whichever objects they have", async (t) => {
  const { state, source } = countingSource({}, 7);
  const [one, other] = [source(), source()];
  const parts = await Promise.all([read(one, 1, 10), read(other, 20, 10), read(one, 0, SIZE)]);
  t.equal(state.reads, 1, "at the same time");
  await read(other, 0, SIZE);
  await read(other, 5, 5);
  t.equal(state.reads, 1, "and later");
  t.same(parts[1], Buffer.alloc(10, 1));
});

t.test("units of another index, or of another source, are others", async (t) => {
  const owner = {};
  const sources = [countingSource(owner, 1), countingSource(owner, 2), countingSource({}, 1)];
  for (const [value, { state, source }] of sources.entries()) {
    state.value = value;
    t.same(await read(source(), 1, 3), Buffer.alloc(3, value));
  }
});

t.test("once a source has changed, its units are read again, and those of others are not", async (t) => {
  const changes = new ChangeFeed<ByteRange>();
  const [changed, unchanged] = [countingSource({ changes }, 0), countingSource({}, 0)];
  for (const { source } of [changed, unchanged]) await read(source(), 1, 3);
  changed.state.value = 2;
  changes.emit({ offset: 0, length: 1 });
  t.same(await read(changed.source(), 1, 3), Buffer.alloc(3, 2));
  await read(unchanged.source(), 1, 3);
  t.equal(unchanged.state.reads, 1);
});

t.test("a unit whose source changes while it is loaded is not cached", async (t) => {
  const changes = new ChangeFeed<ByteRange>();
  const { state, source } = countingSource({ changes }, 0);
  const first = read(source(), 1, 3);
  changes.emit({ offset: 0, length: 1 });
  state.value = 2;
  await first;
  t.same(await read(source(), 1, 3), Buffer.alloc(3, 2));
});

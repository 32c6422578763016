import t from "tap";
import { CorruptError, HostError } from "../../src/errors.js";
import { append, lengthOf, MAP_LIMIT, sliceList, type LayerExtent } from "../../src/extent/extent.js";
import { mapAll } from "../../src/extent/mapping.js";
import { overlay, type MappedLayer } from "../../src/extent/overlay.js";
import { read } from "../../src/extent/read.js";
import { random, type Random } from "../image/random.js";

const MIB = 2 ** 20;

/** A layer of single bytes' worth of detail, and what it makes of the disk below. */
function makeLayer(numbers: Random, below: Buffer, size: number): { layer: MappedLayer; model: Buffer } {
  const model = Buffer.alloc(size);
  below.copy(model);
  const whole: LayerExtent[] = [];
  for (let at = 0; at < size;) {
    const length = Math.min(size - at, numbers.below(numbers.pick([3, 1000, 300_000])) + 1);
    const kind = numbers.pick(["absent", "absent", "zero", "packed"] as const);
    if (kind === "packed") {
      const bytes = numbers.bytes(length + 5);
      bytes.copy(model, at, 5, 5 + length);
      append(whole, { kind, length, unit: { size: bytes.length, unpack: async () => bytes }, skip: 5 });
    } else {
      if (kind === "zero") model.fill(0, at, at + length);
      append(whole, { kind, length });
    }
    at += length;
  }
  // A layer may answer shorter than it was asked.
  const map = async (offset: number, length: number): Promise<LayerExtent[]> =>
    sliceList(whole, offset, numbers.chance(0.5) ? length : numbers.below(length) + 1);
  return { layer: { size, map }, model };
}

t.test("a chain of layers of all sizes reads as a naive model of it", async (t) => {
  for (let seed = 1; seed <= 8; seed++) {
    const numbers = random(seed);
    const layers: MappedLayer[] = [];
    let model: Buffer = Buffer.alloc(0);
    for (let depth = 0; depth < 6; depth++) {
      const made = makeLayer(numbers, model, MIB + numbers.below(3 * MIB));
      layers.unshift(made.layer);
      model = made.model;
    }
    const disk = overlay(layers, "disk", MIB - 512);
    t.equal(disk.size, model.length);
    t.ok((await read(disk, 0, model.length)).equals(model), `seed ${seed}`);
    let wrong = 0;
    for (let count = 0; count < 1000; count++) {
      const offset = numbers.chance(0.3) ? MIB - 1000 + numbers.below(2000) : numbers.below(model.length);
      const start = Math.min(offset, model.length - 1);
      const length = numbers.below(Math.min(model.length - start, 100_000)) + 1;
      if (!(await read(disk, start, length)).equals(model.subarray(start, start + length))) wrong++;
    }
    t.equal(wrong, 0);
  }
});

t.test("past the end of a smaller layer are zeros, whatever lies below it", async (t) => {
  const filled = (value: number, size: number): MappedLayer => ({
    size,
    map: async (skip, length) => [
      { kind: "packed", unit: { size, unpack: async () => Buffer.alloc(size, value) }, skip, length },
    ],
  });
  const clear = (size: number): MappedLayer => ({
    size,
    map: async (_, length) => [{ kind: "absent", length }],
  });
  const disk = overlay([clear(30), clear(10), filled(7, 20)], "disk");
  t.same(await read(disk, 0, 30), Buffer.concat([Buffer.alloc(10, 7), Buffer.alloc(20)]));
});

t.test("damage that an upper layer hides does not matter; what is not hidden is an error", async (t) => {
  const unit = { size: 30, unpack: async () => Buffer.alloc(30, 1) };
  const upper: MappedLayer = {
    size: 30,
    map: async (offset, length) =>
      sliceList(
        [
          { kind: "absent", length: 10 },
          { kind: "packed", unit, skip: 0, length: 10 },
          { kind: "absent", length: 10 },
        ],
        offset,
        length,
      ),
  };
  const damagedBetween = (from: number, to: number): MappedLayer => ({
    size: 30,
    map: async (offset, length) => {
      if (offset < to && offset + length > from) throw new CorruptError("damaged");
      return [{ kind: "zero", length }];
    },
  });
  const expected = Buffer.concat([Buffer.alloc(10), Buffer.alloc(10, 1), Buffer.alloc(10)]);
  t.same(await read(overlay([upper, damagedBetween(12, 15)], "disk"), 0, 30), expected);
  await t.rejects(read(overlay([upper, damagedBetween(19, 21)], "disk"), 0, 30), CorruptError);
});

t.test("a disk of no bytes, or of no layers, is empty", async (t) => {
  t.equal(overlay([], "none").size, 0);
  t.same(await overlay([{ size: 0, map: async () => [] }], "empty").map(0, 0), []);
});

t.test("more extents in one window than are kept are still right", async (t) => {
  const size = 16 * MIB;
  const unit = { size: 1, unpack: async () => Buffer.from("x") };
  const layer: MappedLayer = {
    size,
    map: async (offset, length) => {
      const extents: LayerExtent[] = [];
      for (let at = offset; at < offset + length; at += 64) {
        const part = Math.min(64, offset + length - at);
        extents.push(
          at % 128 === 0 ? { kind: "zero", length: part } : { kind: "packed", unit, skip: 0, length: part },
        );
      }
      return extents.slice(0, MAP_LIMIT);
    },
  };
  const disk = overlay([layer], "disk");
  t.equal((await disk.map(0, size)).length, MAP_LIMIT);
  t.equal((await mapAll(disk, 0, size)).length, size / 64);
  t.same(await disk.map(128, 64), [{ kind: "zero", length: 64 }]);
  t.same(await disk.map(size - 64, 64), [{ kind: "packed", unit, skip: 0, length: 64 }]);
});

t.test("a hole of 2^50 bytes is mapped within a bounded number of calls", async (t) => {
  let calls = 0;
  const layer: MappedLayer = {
    size: 2 ** 50,
    map: async (_, length) => {
      calls++;
      return [{ kind: "absent", length }];
    },
  };
  const disk = overlay([layer, layer], "disk");
  const extents = await disk.map(2 ** 49 + 5, 2 ** 49 - 5);
  t.equal(extents.length, 1);
  t.ok(lengthOf(extents) >= 2 ** 30);
  t.ok(calls <= 200, `${calls} calls`);
});

t.test("a run that cannot be mapped is damaged, and what lies beside it in its window is not", async (t) => {
  let isBroken = true;
  let calls = 0;
  const upper: MappedLayer = {
    size: 30,
    map: async (offset, length) =>
      sliceList(
        [
          { kind: "absent", length: 10 },
          { kind: "zero", length: 10 },
          { kind: "absent", length: 10 },
        ],
        offset,
        length,
      ),
  };
  const lower: MappedLayer = {
    size: 30,
    map: async (offset, length) => {
      calls++;
      if (isBroken && offset + length > 20) throw new HostError("the host failed", "EIO");
      return [{ kind: "packed", unit, skip: offset, length }];
    },
  };
  const unit = { size: 30, unpack: async () => Buffer.alloc(30, 7) };
  const disk = overlay([upper, lower], "disk");
  t.same(await read(disk, 0, 20), Buffer.concat([Buffer.alloc(10, 7), Buffer.alloc(10)]));
  await t.rejects(read(disk, 15, 15), HostError);
  isBroken = false;
  t.same(await read(disk, 20, 10), Buffer.alloc(10, 7), "the host's failure is not kept");
  const before = calls;
  await read(disk, 0, 30);
  t.equal(calls, before, "what succeeded is");
});

t.test("a bug in a layer is thrown as it is", async (t) => {
  const layer: MappedLayer = {
    size: 30,
    map: async () => {
      throw new TypeError("a bug");
    },
  };
  await t.rejects(overlay([layer], "disk").map(0, 30), TypeError);
});

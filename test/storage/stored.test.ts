/** Many parts of files in one call, against a model; and what is said when a part cannot be had. */
import { closeSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { CorruptError } from "../../src/errors.js";
import { loadAddon, type Addon } from "../../src/storage/addon.js";
import { openFile } from "../../src/storage/file.js";
import type { Storage } from "../../src/storage/storage.js";
import { readStored, type StoredPart } from "../../src/storage/stored.js";
import { random, type Random } from "../image/random.js";

const addon = loadAddon() as Addon;

interface ModelFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly storage: Storage;
}

async function files(t: Test, numbers: Random, count: number, size: number): Promise<ModelFile[]> {
  const folder = t.testdir();
  const made: ModelFile[] = [];
  for (let index = 0; index < count; index++) {
    const path = join(folder, `file-${index}`);
    const bytes = numbers.bytes(size);
    writeFileSync(path, bytes);
    made.push({ path, bytes, storage: await openFile(path) });
  }
  t.teardown(() => Promise.all(made.map(({ storage }) => storage.close())));
  return made;
}

/** Parts that fill a buffer in random order; some go on where the one before in the same file ended. */
function scatter(numbers: Random, from: readonly ModelFile[], count: number) {
  const lengths = Array.from({ length: count }, () => 1 + numbers.below(numbers.pick([3, 100, 5000])));
  const whole = Buffer.alloc(lengths.reduce((sum, length) => sum + length, 0));
  const model = Buffer.alloc(whole.length);
  let at = 0;
  const places = lengths.map((length) => [(at += length) - length, length] as const);
  const next = from.map(({ bytes }) => numbers.below(bytes.length / 2));
  const parts = numbers.shuffle(places).map(([place, length]): StoredPart => {
    const index = numbers.below(from.length);
    const { bytes, storage } = from[index]!;
    if (numbers.chance(0.1) || next[index]! + length > bytes.length)
      next[index] = numbers.below(bytes.length - length);
    const offset = next[index]!;
    next[index] = offset + length;
    bytes.copy(model, place, offset, offset + length);
    return { storage, offset, into: whole.subarray(place, place + length) };
  });
  return { whole, model, parts };
}

t.test(
  "lists of parts are read as the model has them: few, one, none, and more than one call takes",
  async (t) => {
    const numbers = random(7);
    const from = await files(t, numbers, 4, 200_003);
    for (const count of [
      0,
      1,
      2,
      3,
      255,
      256,
      257,
      600,
      ...Array.from({ length: 60 }, () => numbers.below(80)),
    ]) {
      const { whole, model, parts } = scatter(numbers, from.slice(0, 1 + numbers.below(4)), count);
      await readStored(parts, whole);
      if (!whole.equals(model)) t.fail(`${count} parts`);
    }
  },
);

t.test("a thousand parts in a row of one file are read into one buffer, backwards", async (t) => {
  const [file] = (await files(t, random(8), 1, 100_000)) as [ModelFile];
  const whole = Buffer.alloc(7000);
  const parts = Array.from({ length: 1000 }, (_, index) => ({
    storage: file.storage,
    offset: 500 + index * 7,
    into: whole.subarray(7000 - (index + 1) * 7, 7000 - index * 7),
  }));
  await readStored(parts, whole);
  for (let index = 0; index < 1000; index++)
    if (!parts[index]!.into.equals(file.bytes.subarray(500 + index * 7, 507 + index * 7))) t.fail(`${index}`);
});

t.test("the call by itself fills what it was told to and nothing else", async (t) => {
  const path = join(t.testdir({ file: "0123456789" }), "file");
  const fd = openSync(path, "r");
  const into = Buffer.alloc(12, ".");
  t.equal(await addon.readRuns(Float64Array.of(fd, 8, 1, 2, fd, 0, 9, 3, fd, 3, 5, 2), into), 1);
  t.equal(into.toString(), ".89..34..012");
  t.equal(await addon.readRuns(Float64Array.of(), into), 1);
  t.equal(await addon.readRuns(Float64Array.of(fd, 0, 0, 2, fd, 9, 2, 2), into), 0, "the file ends before");
  closeSync(fd);
  t.equal(await addon.readRuns(Float64Array.of(1 << 20, 0, 0, 1), into), 0, "no descriptor");
});

t.test("what the host has in memory is read on the spot, as far as the file goes", (t) => {
  const path = join(t.testdir({ file: "0123456789" }), "file");
  const fd = openSync(path, "r");
  const into = Buffer.alloc(6, ".");
  t.equal(addon.readCached(fd, into, 7), 3);
  t.equal(into.toString(), "789...");
  t.equal(addon.readCached(fd, into, 10), 0);
  closeSync(fd);
  t.equal(addon.readCached(1 << 20, into, 0), -9, "EBADF");
  t.end();
});

t.test("where one of the files ends early, the complaint names it and the byte", async (t) => {
  const numbers = random(9);
  const from = await files(t, numbers, 3, 50_000);
  const { path, storage } = from[1]!;
  truncateSync(path, 30_000);
  const whole = Buffer.alloc(30_000);
  const part = (index: number, offset: number, place: number): StoredPart => ({
    storage: from[index]!.storage,
    offset,
    into: whole.subarray(place, place + 1000),
  });
  const good = [part(0, 49_000, 0), part(2, 10_000, 1000), part(1, 29_000, 2000)];
  await readStored(good, whole);
  t.ok(whole.subarray(2000, 3000).equals(from[1]!.bytes.subarray(29_000, 30_000)));
  const reading = readStored([...good, part(1, 29_500, 3000)], whole);
  await t.rejects(
    reading,
    new CorruptError(
      `${path}, byte 0x7530: the file's end is at byte 30000 or before it, but must be 500 bytes further; the image is cut short`,
    ),
  );
  t.equal(storage.size, 50_000);
});

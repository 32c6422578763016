import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t from "tap";
import { ChangeFeed, type ByteRange } from "../../src/bytes/changes.js";
import { cachedReader, pagePool } from "../../src/extent/cache.js";
import { concatenate } from "../../src/extent/concatenate.js";
import { lengthOf, type BlockSource, type Extent } from "../../src/extent/extent.js";
import { overlay } from "../../src/extent/overlay.js";
import { read } from "../../src/extent/read.js";
import { storageSource } from "../../src/extent/storage.js";
import { window } from "../../src/extent/window.js";
import type { Storage } from "../../src/storage/storage.js";
import { random } from "../image/random.js";

const seed = Date.now() % 2 ** 32;
t.comment(`seed ${seed}`);
const numbers = random(seed);

/** A file in memory that is written to. */
function writableFile(size: number) {
  const bytes = numbers.bytes(size);
  const changes = new ChangeFeed<ByteRange>();
  const storage: Storage = {
    location: "/memory",
    name: "memory",
    size,
    changes,
    read: async (into, offset) => {
      into.set(bytes.subarray(offset, offset + into.length));
    },
    close: async () => undefined,
  };
  const write = (offset: number, part: Buffer): void => {
    part.copy(bytes, offset);
    changes.emit({ offset, length: part.length });
  };
  return { bytes, changes, storage, write };
}

/** The changes of `source`, as they arrive. */
function recorded({ changes }: Pick<BlockSource, "changes">): ByteRange[] {
  const list: ByteRange[] = [];
  changes?.on(list, (range) => list.push(range));
  return list;
}

t.test("a window, a concatenated source and a chain translate changes to ranges of their own", (t) => {
  const [one, other] = [writableFile(100), writableFile(100)];
  const parts = [one, other].map(({ storage }) => ({
    length: 90,
    source: storageSource(storage),
    filler: (length: number): Extent => ({ kind: "zero", length }),
  }));
  const whole = concatenate("whole", parts);
  const disk = overlay([whole], "disk");
  const partition = window(disk, 50, 100, "partition");
  const found = { whole: recorded(whole), disk: recorded(disk), partition: recorded(partition) };
  one.changes.emit({ offset: 40, length: 20 });
  other.changes.emit({ offset: 0, length: 100 });
  other.changes.emit({ offset: 92, length: 3 }); // behind the part's end
  t.same(found.whole, [
    { offset: 40, length: 20 },
    { offset: 90, length: 90 },
  ]);
  t.same(found.disk, found.whole);
  t.same(found.partition, [
    { offset: 0, length: 10 },
    { offset: 40, length: 60 },
  ]);
  t.end();
});

t.test("a source that is made of unchanging ones has no changes", (t) => {
  const { storage } = writableFile(100);
  const { changes, ...unchanging } = storage;
  t.ok(changes);
  const source = storageSource(unchanging);
  t.equal(window(overlay([source], "disk"), 0, 100, "partition").changes, undefined);
  t.end();
});

t.test("a cached reader reads changed pages again, whatever their number, and no others", async (t) => {
  const size = 3_000_000;
  const file = writableFile(size);
  let reads = 0;
  const storage: Storage = {
    ...file.storage,
    read: (into, offset) => {
      reads++;
      return file.storage.read(into, offset);
    },
  };
  const reader = cachedReader(storageSource(storage), pagePool(2 * size, 1024));
  for (let round = 0; round < 2000; round++) {
    const offset = numbers.below(size - 3000);
    if (numbers.chance(0.2)) {
      const isLong = numbers.chance(0.1);
      file.write(offset, numbers.bytes(isLong ? size - offset : numbers.below(3000)));
    }
    const length = numbers.below(3000);
    const bytes = await reader.read(offset, length);
    if (!file.bytes.subarray(offset, offset + length).equals(bytes)) t.fail(`round ${round}`);
  }
  await reader.read(5000, 10);
  reads = 0;
  file.write(0, numbers.bytes(1000));
  await reader.read(5000, 10);
  t.equal(reads, 0);
});

t.test("a page that changes while it is read is not cached", async (t) => {
  const file = writableFile(4096);
  const reader = cachedReader(storageSource(file.storage));
  const old = reader.read(0, 10);
  file.write(0, Buffer.alloc(10, 7));
  await old;
  t.same(await reader.read(0, 10), Buffer.alloc(10, 7));
});

t.test("a chain resolves its windows again when the mapping of a layer has changed", async (t) => {
  const changes = new ChangeFeed<ByteRange>();
  const below = window(storageSource(writableFile(1000).storage), 0, 1000, "below");
  let isWritten = false;
  const top = {
    size: 1000,
    changes,
    map: async (_: number, length: number) =>
      isWritten ? [{ kind: "zero", length } as const] : [{ kind: "absent", length } as const],
  };
  const disk = overlay([top, below], "disk");
  const original = await read(below, 0, 1000);
  t.same(await read(disk, 0, 1000), original);
  isWritten = true;
  changes.emit({ offset: 0, length: 1000 });
  t.same(await read(disk, 0, 1000), Buffer.alloc(1000));
  t.equal(lengthOf(await disk.map(0, 1000)), 1000);
});

t.test("what nobody uses any more is collected, with its listeners", async (t) => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const file = writableFile(100);
  const listened = { kept: 0, dropped: 0 };
  const kept = {};
  file.changes.on(kept, () => listened.kept++);
  const dropped: object[] = [{}];
  file.changes.on(dropped[0]!, () => listened.dropped++);
  file.write(0, Buffer.alloc(1));
  t.same(listened, { kept: 1, dropped: 1 });
  dropped.length = 0;
  await new Promise(setImmediate);
  gc();
  file.write(0, Buffer.alloc(1));
  t.same(listened, { kept: 2, dropped: 1 });
  t.ok(kept);
});

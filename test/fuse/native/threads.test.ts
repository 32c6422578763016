/** What the server passes to the threads: windows of files, and prefetched replies. */
import { setTimeout } from "node:timers/promises";
import t from "tap";
import { CorruptError } from "../../../src/errors.js";
import type { BlockSource, ChunkedUnit, Extent } from "../../../src/extent/extent.js";
import type { Storage } from "../../../src/storage/storage.js";
import { kernel, words32, words64, direntsOf, zeroEnded } from "../support/wire.js";
import { FakeTree, patterned, type Node } from "../support/tree.js";

const [OPEN, READ, READDIR, READDIRPLUS, LOOKUP, OPENDIR, LSEEK] = [14, 15, 28, 44, 1, 27, 46];
const WINDOW = 64 * 2 ** 20;

const storage = (fd: number): Storage => ({
  location: "/fake",
  name: "fake",
  size: 2 ** 40,
  fd,
  read: async (into) => {
    into.fill(fd);
  },
  close: async () => undefined,
});

/** A source of these extents, as long as all of them. */
function listed(...extents: Extent[]): BlockSource {
  const size = extents.reduce((sum, { length }) => sum + length, 0);
  return { name: "listed", size, map: async (offset, length) => cut(extents, offset, length) };
}

function cut(extents: Extent[], offset: number, length: number): Extent[] {
  const parts: Extent[] = [];
  let at = 0;
  for (const extent of extents) {
    const from = Math.max(at, offset);
    const to = Math.min(at + extent.length, offset + length);
    const skip = from - at;
    if (from < to) {
      if (extent.kind === "stored")
        parts.push({ ...extent, offset: extent.offset + skip, length: to - from });
      else if (extent.kind === "packed")
        parts.push({ ...extent, skip: extent.skip + skip, length: to - from });
      else parts.push({ ...extent, length: to - from });
    }
    at += extent.length;
  }
  return parts;
}

const unit = (size: number) => ({ size, unpack: async () => Buffer.alloc(size, "u") });
const error = new CorruptError({ file: "fake", thing: "damage" });

/** Flags of a kernel without FUSE_NO_OPEN_SUPPORT, which sends every OPEN. */
const WITH_OPEN = 0x7fff_ffff & ~(1 << 17);

async function opened(source: BlockSource) {
  const tree = new FakeTree();
  const { id } = tree.file(tree.top, "file", source);
  const served = await kernel(tree, WITH_OPEN);
  const read = async (offset: number, size: number) =>
    served.ask(READ, id, words64(0, offset), words32(size, 0), Buffer.alloc(16));
  return { ...served, id, read, opened: await served.ask(OPEN, id, words32(0, 0)) };
}

t.test("the first window of a file is passed when the file is opened, with each kind of run", async (t) => {
  const { windows, id } = await opened(
    listed(
      { kind: "stored", length: 5000, storage: storage(7), offset: 2 ** 39 + 1 },
      { kind: "zero", length: 3 },
      { kind: "packed", length: 100, unit: unit(4096), skip: 50 },
      { kind: "packed", length: 100, unit: unit(4097), skip: 50 },
      { kind: "damaged", length: 9, error },
      { kind: "stored", length: 1, storage: storage(-1), offset: 0 },
      { kind: "packed", length: 2, unit: unit(2), skip: 0 },
    ),
  );
  const runs = [
    ...[7, 2 ** 39 + 1, 5000], // stored: the descriptor
    ...[-1, 0, 3], // zeros
    ...[-3, 0, 100], // inline
    ...[-2, 0, 100, -2, 0, 9, -2, 0, 1], // fallback: too large when unpacked, damaged, no descriptor
    ...[-3, 100, 2],
  ];
  t.same(windows, [
    {
      node: id,
      index: 0,
      runs,
      bytes: Buffer.alloc(102, "u"),
      numbers: windows[0]!.numbers,
      notifyFirstRead: false,
    },
  ]);
});

t.test("compressed units are passed if their bytes lie in files of the host, and only then", async (t) => {
  const under = listed(
    { kind: "stored", length: 60, storage: storage(7), offset: 1000 },
    { kind: "stored", length: 440, storage: storage(8), offset: 30 },
    { kind: "zero", length: 500 },
  );
  const packed = (...runs: ChunkedUnit["runs"]): ChunkedUnit => ({
    id: { source: under, index: runs[0]!.offset },
    codec: "xpress",
    places: [0, 40, 100],
    chunkSize: 8192,
    size: 8192 + 60,
    mayBeStored: true,
    source: under,
    runs,
    placeOf: () => ({ file: "fake" }),
  });
  const whole = packed({ offset: 40, length: 100 });
  const { windows } = await opened(
    listed(
      { kind: "packed", length: whole.size, unit: whole, skip: 0 },
      { kind: "packed", length: whole.size - 1, unit: whole, skip: 1 },
      { kind: "packed", length: whole.size, unit: packed({ offset: 450, length: 100 }), skip: 0 },
      {
        kind: "packed",
        length: whole.size,
        unit: packed({ offset: 5, length: 50 }, { offset: 0, length: 50 }),
        skip: 0,
      },
    ),
  );
  const chunks = [...[1, 0, 40, 0, 8192], ...[3, 40, 100, 8192, 60]]; // the second is stored as it is
  t.same(windows[0]!.runs, [
    ...[-4, 0, 8252],
    ...[-2, 0, 8251], // a part of a unit
    ...[-2, 0, 8252], // its packed bytes are, in part, stored nowhere
    ...[-4, 0, 8252],
  ]);
  const units = [
    ...[2, 2, 7, 1040, 20, 8, 30, 80, ...chunks],
    ...[2, 2, 7, 1005, 50, 7, 1000, 50, ...chunks],
  ];
  t.same(windows[0]!.numbers.slice(0, units.length), units);
});

t.test("each window of a large file is passed when it is read", async (t) => {
  const size = 2 * WINDOW + 1000;
  const { windows, read } = await opened(
    listed({ kind: "stored", length: size, storage: storage(7), offset: 0 }),
  );
  t.same(
    windows.map(({ index, runs }) => [index, runs]),
    [[0, [7, 0, WINDOW]]],
  );
  t.equal((await read(2 * WINDOW - 10, 4096)).body.length, 1010);
  await setTimeout();
  t.same(
    windows.map(({ index, runs, notifyFirstRead }) => [index, runs, notifyFirstRead]),
    [
      [0, [7, 0, WINDOW], true],
      [1, [7, WINDOW, WINDOW], true],
      [2, [7, 2 * WINDOW, 1000], false],
    ],
    "the server is notified of reads if another window follows",
  );
  t.equal((await read(size, 10)).body.length, 0);
});

t.test("a window that only TypeScript can read is not passed again", async (t) => {
  const { windows, read } = await opened(
    listed(
      { kind: "packed", length: 5000, unit: unit(5000), skip: 0 },
      { kind: "damaged", length: 10, error },
      { kind: "zero", length: 10 },
    ),
  );
  t.same((await read(10, 100)).body, Buffer.alloc(100, "u"));
  t.equal((await read(5000, 10)).errno, 5);
  t.equal((await read(5010, 10)).errno, 0);
  await setTimeout();
  t.equal(windows.length, 1);
});

t.test("the window behind the one that is read is prefetched, once", async (t) => {
  const size = 3 * WINDOW;
  const { windows, server, id } = await opened(
    listed({ kind: "stored", length: size, storage: storage(7), offset: 0 }),
  );
  const answered = async (offset: number, length: number): Promise<number[]> => {
    const header = [words32(80, READ), words64(1, id), words32(0, 0, 0, 0)];
    server.notify(Buffer.concat([...header, words64(0, offset), words32(length, 0), Buffer.alloc(16)]));
    await setTimeout();
    return windows.map(({ index }) => index);
  };
  t.same(await answered(0, 100), [0, 1]);
  t.same(await answered(0, 100), [0, 1]);
  t.same(await answered(2 * WINDOW - 4096, 4096), [0, 1, 2]);
  t.same(await answered(size - 100, 100), [0, 1, 2], "nothing is behind the end");
});

t.test("if a window cannot be mapped, the file can be opened, and the rest of it read", async (t) => {
  const whole = patterned(2 * WINDOW);
  const {
    windows,
    read,
    opened: reply,
  } = await opened({
    ...whole,
    map: async (offset, length) => {
      if (length === WINDOW) throw error;
      return whole.map(offset, length);
    },
  });
  t.equal(reply.errno, 0);
  t.equal((await read(WINDOW, 100)).errno, 0);
  t.same(windows, []);
});

t.test("holes are found, and the data between them", async (t) => {
  const stored = (length: number): Extent => ({ kind: "stored", length, storage: storage(7), offset: 0 });
  const zero = (length: number): Extent => ({ kind: "zero", length });
  const { ask, id } = await opened(
    listed(stored(100), zero(WINDOW), stored(1), zero(7), zero(2), { kind: "damaged", length: 5, error }),
  );
  const seek = async (offset: number | bigint, whence: number): Promise<number> => {
    const { errno, body } = await ask(LSEEK, id, words64(0, offset), words32(whence, 0));
    return errno === 0 ? Number(body.readBigUInt64LE(0)) : -errno;
  };
  const [DATA, HOLE, ENXIO] = [3, 4, 6];
  const size = WINDOW + 115;
  t.same(await Promise.all([0, 99, 100, 101].map((offset) => seek(offset, DATA))), [
    0,
    99,
    WINDOW + 100,
    WINDOW + 100,
  ]);
  t.same(await Promise.all([0, 99, 100, WINDOW].map((offset) => seek(offset, HOLE))), [
    100,
    100,
    100,
    WINDOW,
  ]);
  t.equal(await seek(WINDOW + 100, HOLE), WINDOW + 101);
  t.equal(await seek(WINDOW + 101, DATA), WINDOW + 110, "damage is no hole");
  t.equal(await seek(WINDOW + 111, HOLE), size, "the end is one");
  for (const offset of [size, size + 1, 2n ** 62n]) t.equal(await seek(offset, DATA), -ENXIO);
  const { ask: askEmpty, id: empty } = await opened(listed(stored(5), zero(5)));
  t.equal((await askEmpty(LSEEK, empty, words64(0, 5), words32(DATA, 0))).errno, ENXIO);
});

t.test("the empty page at the end of a listing is prefetched with the last page", async (t) => {
  const tree = new FakeTree();
  for (let index = 0; index < 500; index++) tree.file(tree.top, `n${index}`, patterned(1));
  for (const opcode of [READDIR, READDIRPLUS]) {
    const { ask, prefetched } = await kernel(tree);
    for (let offset = 0n; ;) {
      const { body } = await ask(opcode, 1, words64(0, offset), words32(8192, 0), Buffer.alloc(16));
      const last = direntsOf(body, opcode === READDIRPLUS).at(-1);
      if (last === undefined) break;
      offset = last.off;
      if (offset < 500n) t.same(prefetched, [], "not while there is more");
      else t.same(prefetched, [{ opcode, node: 1, offset: 500, body: Buffer.alloc(0) }]);
    }
  }
});

t.test("the next page of a large directory is prefetched, one page at a time", async (t) => {
  const tree = new FakeTree();
  for (let index = 0; index < 2000; index++) tree.file(tree.top, `n${index}`, patterned(1));
  const { ask, prefetched, server } = await kernel(tree);
  const page = async (offset: bigint) =>
    (await ask(READDIRPLUS, 1, words64(0, offset), words32(32_768, 0), Buffer.alloc(16))).body;
  const next = (body: Buffer): bigint => direntsOf(body, true).at(-1)!.off;
  const second = next(await page(0n));
  await settled(() => prefetched.length, 1);
  t.same(
    prefetched.map(({ opcode, node, offset }) => ({ opcode, node, offset })),
    [{ opcode: READDIRPLUS, node: 1, offset: Number(second) }],
  );
  const third = next(prefetched[0]!.body);
  server.notify(
    Buffer.concat([
      words32(80, READDIRPLUS),
      words64(1, 1),
      words32(0, 0, 0, 0),
      words64(0, second),
      Buffer.alloc(24),
    ]),
  );
  await settled(() => prefetched.length, 2);
  t.equal(prefetched.length, 2);
  t.equal(prefetched[1]!.offset, Number(third));
  // Requests in order: one in the middle of a directory would count as a seek, and its page would be short.
  const fresh = await kernel(tree);
  const asked = [];
  for (const offset of [0n, second, third]) {
    const request = [words64(0, offset), words32(32_768, 0), Buffer.alloc(16)];
    asked.push((await fresh.ask(READDIRPLUS, 1, ...request)).body);
  }
  t.same(prefetched[1]!.body, asked[2], "a prefetched reply is the same as the reply to a request");
  const names = asked.flatMap((body) => direntsOf(body, true).map(({ name }) => name));
  t.same(names, [".", "..", ...Array.from({ length: names.length - 2 }, (_, index) => `n${index}`)]);
});

t.test("a page that is being prefetched is not read a second time for a request", async (t) => {
  const tree = new FakeTree();
  for (let index = 0; index < 2000; index++) tree.file(tree.top, `n${index}`, patterned(1));
  let asked = 0;
  const attributes = tree.attributes.bind(tree);
  tree.attributes = (id) => {
    asked++;
    return attributes(id);
  };
  const { ask, prefetched } = await kernel(tree);
  const seen: string[] = [];
  for (let offset = 0n; ;) {
    const { body } = await ask(READDIRPLUS, 1, words64(0, offset), words32(32_768, 0), Buffer.alloc(16));
    if (body.length === 0) break;
    const entries = direntsOf(body, true);
    seen.push(...entries.map(({ name }) => name));
    offset = entries.at(-1)!.off;
    if (offset < 1500n) await settled(() => prefetched.length, prefetched.length + 1);
  }
  t.equal(new Set(seen).size, 2002);
  t.equal(asked, 2001, "each attribute once, and the root's");
});

/** A tree of directories a/b/c… with files in each. */
function deep(): { tree: FakeTree; directories: Node[]; files: Node[] } {
  const tree = new FakeTree();
  const directories: Node[] = [];
  const files: Node[] = [];
  const fill = (parent: Node, depth: number): void => {
    for (let index = 0; index < 12; index++) files.push(tree.file(parent, `f${index}`, patterned(10)));
    if (depth < 3)
      for (const name of "abc") {
        const child = tree.directory(parent, name);
        directories.push(child);
        fill(child, depth + 1);
      }
  };
  fill(tree.top, 0);
  return { tree, directories, files };
}

/** Waits until `count` are there, and a little longer, for those that should not be. */
async function settled(count: () => number, wanted: number): Promise<void> {
  for (let waited = 0; count() < wanted && waited < 10_000; waited += 10) await setTimeout(10);
  await setTimeout(20);
}

const listing = (ask: (opcode: number, node: number, ...body: Buffer[]) => Promise<unknown>, id: number) =>
  ask(READDIRPLUS, id, words64(0, 0), words32(32_768, 0), Buffer.alloc(16));

t.test("the directories that a walk enters next are prefetched, in the order of the walk", async (t) => {
  const { tree, directories } = deep();
  const { ask, prefetched, server } = await kernel(tree);
  await listing(ask, 1);
  await setTimeout(20);
  const ahead = (): number[] => prefetched.filter(({ offset }) => offset === 0).map(({ node }) => node);
  t.same(ahead(), [], "one listed directory is not a walk");
  await listing(ask, directories[0]!.id);
  await settled(() => ahead().length, 32);
  const order = directories.map(({ id }) => id);
  t.same(ahead(), order.slice(1, 33));
  const first = prefetched.find(({ node, offset }) => node === order[1] && offset === 0)!;
  const asked = (await listing(ask, order[1]!)) as { body: Buffer };
  t.same(first.body, asked.body, "a prefetched reply is the same as the reply to a request");
  for (const id of order.slice(2, 12)) {
    server.notify(
      Buffer.concat([words32(80, READDIRPLUS), words64(1, id), words32(0, 0, 0, 0), Buffer.alloc(40)]),
    );
  }
  await settled(() => ahead().length, order.length - 1);
  t.same(ahead(), order.slice(1), "prefetching continues as the replies are used, to the end of the tree");
});

t.test("the next files of a program that opens one file after another are prefetched", async (t) => {
  const { tree, files } = deep();
  const top = files.slice(0, 12).map(({ id }) => id);
  const { ask, windows } = await kernel(tree, WITH_OPEN);
  const passed = (): number[] => windows.map(({ node }) => node);
  await listing(ask, 1);
  await ask(OPEN, top[0]!, words32(0, 0));
  await setTimeout(20);
  t.same(passed(), top.slice(0, 1), "one file is not a sequence");
  await ask(OPEN, top[1]!, words32(0, 0));
  await settled(() => passed().length, 12);
  t.same(passed(), top);
});

t.test(
  "without OPEN, the next files of a program that reads one file after another are prefetched",
  async (t) => {
    const tree = new FakeTree();
    const files = Array.from({ length: 60 }, (_, index) =>
      // The kernel does not read an empty file: the next one is the milestone.
      tree.file(
        tree.top,
        `f${index}`,
        listed({ kind: "stored", length: index === 8 ? 0 : 10, storage: storage(7), offset: 0 }),
      ),
    ).map(({ id }) => id);
    const { ask, windows, server } = await kernel(tree);
    const passed = (): number[] => windows.map(({ node }) => node);
    const read = (index: number) => ask(READ, files[index]!, words64(0, 0), words32(10, 0), Buffer.alloc(16));
    await listing(ask, 1);
    await read(0);
    await settled(() => 0, 0);
    t.same(passed(), [files[0]], "one file is not a sequence");
    await read(1);
    const upTo = (end: number): number[] => files.slice(0, end).filter((_, index) => index !== 8);
    await settled(() => passed().length, 33);
    t.same(passed(), upTo(34), "32 of them, behind the one that was read");
    const milestones = windows
      .filter(({ notifyFirstRead }) => notifyFirstRead)
      .map(({ node }) => files.indexOf(node));
    t.same(milestones, [9, 17, 25, 33], "only milestones notify");
    server.notify(
      Buffer.concat([
        ...[words32(80, READ), words64(1, files[17]!), words32(0, 0, 0, 0)],
        ...[words64(0, 0), words32(10, 0), Buffer.alloc(16)],
      ]),
    );
    await settled(() => passed().length, 49);
    t.same(passed(), upTo(50), "prefetching continues from the milestone");
    await read(3);
    await settled(() => 0, 0);
    t.same(passed().slice(49), [files[3]], "a program that goes back does not read in sequence");
  },
);

t.test("directories that form a circle end the read-ahead, not the server", async (t) => {
  const tree = new FakeTree();
  const one = tree.directory(tree.top, "one");
  const two = tree.directory(one, "two");
  tree.add(two, "one", one);
  const { ask } = await kernel(tree);
  for (const id of [1, one.id, two.id, one.id]) await listing(ask, id);
  await setTimeout(50);
  t.equal((await ask(LOOKUP, 1, zeroEnded("one"))).errno, 0);
  t.equal((await ask(OPENDIR, 1, words32(0, 0))).errno, 38);
});

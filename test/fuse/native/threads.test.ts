/** What the threads are handed: windows of files, and answers to what will be asked next. */
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

/** A kernel's flags, but for FUSE_NO_OPEN_SUPPORT: it sends each OPEN. */
const WITH_OPEN = 0x7fff_ffff & ~(1 << 17);

async function opened(source: BlockSource) {
  const tree = new FakeTree();
  const { id } = tree.file(tree.top, "file", source);
  const served = await kernel(tree, WITH_OPEN);
  const read = async (offset: number, size: number) =>
    served.ask(READ, id, words64(0, offset), words32(size, 0), Buffer.alloc(16));
  return { ...served, id, read, opened: await served.ask(OPEN, id, words32(0, 0)) };
}

t.test("a file is handed over when it is opened, each kind of run by its number", async (t) => {
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
    ...[-2, 0, 100, -2, 0, 9, -2, 0, 1], // elsewhere: unpacked too large, damaged, no descriptor
    ...[-3, 100, 2],
  ];
  t.same(windows, [
    { node: id, index: 0, runs, bytes: Buffer.alloc(102, "u"), numbers: windows[0]!.numbers, isTold: false },
  ]);
});

t.test(
  "compressed units are handed over where they lie in files of the host, and nowhere else",
  async (t) => {
    const under = listed(
      { kind: "stored", length: 60, storage: storage(7), offset: 1000 },
      { kind: "stored", length: 440, storage: storage(8), offset: 30 },
      { kind: "zero", length: 500 },
    );
    const packed = (...runs: ChunkedUnit["runs"]): ChunkedUnit => ({
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
  },
);

t.test("a large file is handed over window by window, when it is read there", async (t) => {
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
    windows.map(({ index, runs, isTold }) => [index, runs, isTold]),
    [
      [0, [7, 0, WINDOW], true],
      [1, [7, WINDOW, WINDOW], true],
      [2, [7, 2 * WINDOW, 1000], false],
    ],
    "of a window with another behind it, it is told that it is read",
  );
  t.equal((await read(size, 10)).body.length, 0);
});

t.test("what only TypeScript can read is not handed over again and again", async (t) => {
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

t.test("the window behind one that is read is handed over before it is asked for, and once", async (t) => {
  const size = 3 * WINDOW;
  const { windows, server, id } = await opened(
    listed({ kind: "stored", length: size, storage: storage(7), offset: 0 }),
  );
  const answered = async (offset: number, length: number): Promise<number[]> => {
    const header = [words32(80, READ), words64(1, id), words32(0, 0, 0, 0)];
    server.answered(Buffer.concat([...header, words64(0, offset), words32(length, 0), Buffer.alloc(16)]));
    await setTimeout();
    return windows.map(({ index }) => index);
  };
  t.same(await answered(0, 100), [0, 1]);
  t.same(await answered(0, 100), [0, 1]);
  t.same(await answered(2 * WINDOW - 4096, 4096), [0, 1, 2]);
  t.same(await answered(size - 100, 100), [0, 1, 2], "nothing is behind the end");
});

t.test(
  "a window that cannot be mapped keeps neither the opening nor its neighbours from being read",
  async (t) => {
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
  },
);

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

t.test("the end of a listing is known before it is asked for", async (t) => {
  const tree = new FakeTree();
  for (let index = 0; index < 500; index++) tree.file(tree.top, `n${index}`, patterned(1));
  for (const opcode of [READDIR, READDIRPLUS]) {
    const { ask, offers } = await kernel(tree);
    for (let offset = 0n; ;) {
      const { body } = await ask(opcode, 1, words64(0, offset), words32(8192, 0), Buffer.alloc(16));
      const last = direntsOf(body, opcode === READDIRPLUS).at(-1);
      if (last === undefined) break;
      offset = last.off;
      if (offset < 500n) t.same(offers, [], "not while there is more");
      else t.same(offers, [{ opcode, node: 1, offset: 500, body: Buffer.alloc(0) }]);
    }
  }
});

t.test("whoever lists a large directory finds the next page prepared, one at a time", async (t) => {
  const tree = new FakeTree();
  for (let index = 0; index < 2000; index++) tree.file(tree.top, `n${index}`, patterned(1));
  const { ask, offers, server } = await kernel(tree);
  const page = async (offset: bigint) =>
    (await ask(READDIRPLUS, 1, words64(0, offset), words32(32_768, 0), Buffer.alloc(16))).body;
  const next = (body: Buffer): bigint => direntsOf(body, true).at(-1)!.off;
  const second = next(await page(0n));
  await settled(() => offers.length, 1);
  t.same(
    offers.map(({ opcode, node, offset }) => ({ opcode, node, offset })),
    [{ opcode: READDIRPLUS, node: 1, offset: Number(second) }],
  );
  const third = next(offers[0]!.body);
  server.answered(
    Buffer.concat([
      words32(80, READDIRPLUS),
      words64(1, 1),
      words32(0, 0, 0, 0),
      words64(0, second),
      Buffer.alloc(24),
    ]),
  );
  await settled(() => offers.length, 2);
  t.equal(offers.length, 2);
  t.equal(offers[1]!.offset, Number(third));
  // Asked in order: a request in the middle of a directory is taken for a seek, and answered with a short page.
  const fresh = await kernel(tree);
  const asked = [];
  for (const offset of [0n, second, third]) {
    const request = [words64(0, offset), words32(32_768, 0), Buffer.alloc(16)];
    asked.push((await fresh.ask(READDIRPLUS, 1, ...request)).body);
  }
  t.same(offers[1]!.body, asked[2], "what is offered is what would have been answered");
  const names = asked.flatMap((body) => direntsOf(body, true).map(({ name }) => name));
  t.same(names, [".", "..", ...Array.from({ length: names.length - 2 }, (_, index) => `n${index}`)]);
});

t.test("a page that is prepared is not chosen again for who asks before the threads have it", async (t) => {
  const tree = new FakeTree();
  for (let index = 0; index < 2000; index++) tree.file(tree.top, `n${index}`, patterned(1));
  let asked = 0;
  const attributes = tree.attributes.bind(tree);
  tree.attributes = (id) => {
    asked++;
    return attributes(id);
  };
  const { ask, offers } = await kernel(tree);
  const seen: string[] = [];
  for (let offset = 0n; ;) {
    const { body } = await ask(READDIRPLUS, 1, words64(0, offset), words32(32_768, 0), Buffer.alloc(16));
    if (body.length === 0) break;
    const entries = direntsOf(body, true);
    seen.push(...entries.map(({ name }) => name));
    offset = entries.at(-1)!.off;
    if (offset < 1500n) await settled(() => offers.length, offers.length + 1);
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

t.test("whoever walks finds the next directories listed already, in the order of a walk", async (t) => {
  const { tree, directories } = deep();
  const { ask, offers, server } = await kernel(tree);
  await listing(ask, 1);
  await setTimeout(20);
  const ahead = (): number[] => offers.filter(({ offset }) => offset === 0).map(({ node }) => node);
  t.same(ahead(), [], "a look at one directory is no walk");
  await listing(ask, directories[0]!.id);
  await settled(() => ahead().length, 32);
  const order = directories.map(({ id }) => id);
  t.same(ahead(), order.slice(1, 33));
  const first = offers.find(({ node, offset }) => node === order[1] && offset === 0)!;
  const asked = (await listing(ask, order[1]!)) as { body: Buffer };
  t.same(first.body, asked.body, "what is offered is what would have been answered");
  for (const id of order.slice(2, 12)) {
    server.answered(
      Buffer.concat([words32(80, READDIRPLUS), words64(1, id), words32(0, 0, 0, 0), Buffer.alloc(40)]),
    );
  }
  await settled(() => ahead().length, order.length - 1);
  t.same(ahead(), order.slice(1), "it goes on as it is taken up, to the end");
});

t.test("whoever opens one file after another finds the next ones opened", async (t) => {
  const { tree, files } = deep();
  const top = files.slice(0, 12).map(({ id }) => id);
  const offered = async (own: boolean) => {
    const { ask, offers } = await kernel(tree, WITH_OPEN, own ? 1000 : undefined);
    await listing(ask, 1);
    await ask(OPEN, top[0]!, words32(0, 0));
    await setTimeout(20);
    t.same(
      offers.filter(({ opcode }) => opcode === OPEN),
      [],
      "one file is no row",
    );
    await ask(OPEN, top[1]!, words32(0, 0));
    await settled(() => offers.filter(({ opcode }) => opcode === OPEN).length, own ? 0 : 10);
    return offers.filter(({ opcode }) => opcode === OPEN);
  };
  const offers = await offered(false);
  t.same(
    offers.map(({ node }) => node),
    top.slice(2),
  );
  t.equal(offers[0]!.body.readUInt32LE(8), 2, "FOPEN_KEEP_CACHE");
  t.same(await offered(true), [], "nobody's file is opened before it is known who comes");
});

t.test(
  "where nobody opens, whoever reads one file after another finds the next ones handed over",
  async (t) => {
    const tree = new FakeTree();
    const files = Array.from({ length: 60 }, (_, index) =>
      // Nobody reads an empty file: it is no milestone, and the next one is.
      tree.file(
        tree.top,
        `f${index}`,
        listed({ kind: "stored", length: index === 8 ? 0 : 10, storage: storage(7), offset: 0 }),
      ),
    ).map(({ id }) => id);
    const { ask, windows, server } = await kernel(tree);
    const given = (): number[] => windows.map(({ node }) => node);
    const read = (index: number) => ask(READ, files[index]!, words64(0, 0), words32(10, 0), Buffer.alloc(16));
    await listing(ask, 1);
    await read(0);
    await settled(() => 0, 0);
    t.same(given(), [files[0]], "one file is no row");
    await read(1);
    const upTo = (end: number): number[] => files.slice(0, end).filter((_, index) => index !== 8);
    await settled(() => given().length, 33);
    t.same(given(), upTo(34), "32 of them, behind the one that was read");
    const milestones = windows.filter(({ isTold }) => isTold).map(({ node }) => files.indexOf(node));
    t.same(milestones, [9, 17, 25, 33], "not each of them is told");
    server.answered(
      Buffer.concat([
        ...[words32(80, READ), words64(1, files[17]!), words32(0, 0, 0, 0)],
        ...[words64(0, 0), words32(10, 0), Buffer.alloc(16)],
      ]),
    );
    await settled(() => given().length, 49);
    t.same(given(), upTo(50), "it goes on from the milestone");
    await read(3);
    await settled(() => 0, 0);
    t.same(given().slice(49), [files[3]], "whoever goes back is no row");
  },
);

t.test("directories that lie in a circle end the look ahead, not the server", async (t) => {
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

import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { loadingCache } from "../../src/extent/loading.js";
import { read } from "../../src/extent/read.js";

/** A cache of ten bytes, and how often each key was loaded; "slow" takes the longest. */
function cacheOfTen(): {
  get: (key: number) => unknown;
  peek: (key: number) => unknown;
  loads: number[];
} {
  const loads: number[] = [];
  const cache = loadingCache<number, Buffer>(
    10,
    ({ length }) => length,
    async (key) => {
      loads.push(key);
      await sleep(key === SLOW ? 50 : 1);
      return Buffer.alloc(key);
    },
  );
  return { get: (key) => cache.load(key, undefined), peek: (key) => cache.peek(key), loads };
}
const SLOW = 8;

t.test("who waits for a value gets it, even where others have taken its place in the cache", async (t) => {
  const { get } = cacheOfTen();
  const values = await Promise.all([SLOW, 9, 10, 7].map(get));
  t.same(
    values,
    [SLOW, 9, 10, 7].map((size) => Buffer.alloc(size)),
  );
});

t.test("a value larger than the cache is handed through", async (t) => {
  const { get, loads } = cacheOfTen();
  t.same(await get(11), Buffer.alloc(11));
  t.same(await get(11), Buffer.alloc(11));
  t.same(loads, [11, 11]);
});

t.test("what is asked for twice at once is loaded once, and kept", async (t) => {
  const { get, peek, loads } = cacheOfTen();
  await Promise.all([get(5), get(5)]);
  t.same(peek(5), Buffer.alloc(5));
  t.same(loads, [5]);
});

t.test("a load that failed is tried again", async (t) => {
  let tries = 0;
  const cache = loadingCache<number, Buffer>(
    10,
    () => 1,
    async () => {
      if (++tries === 1) throw new Error("not now");
      return Buffer.from("now");
    },
  );
  await t.rejects(async () => cache.load(1, undefined), /not now/);
  t.same(await cache.load(1, undefined), Buffer.from("now"));
});

t.test("what is forgotten while it is loaded is not kept, and whoever waits for it has it", async (t) => {
  let loads = 0;
  const cache = loadingCache<number, Buffer>(
    10,
    () => 1,
    async () => Buffer.from([++loads]),
  );
  const first = cache.load(1, undefined);
  cache.forget(1);
  const second = cache.load(1, undefined);
  t.same(await Promise.all([first, second]), [Buffer.from([1]), Buffer.from([2])]);
  t.same(cache.peek(1), Buffer.from([2]));
});

t.test("small units, which lie in memory already, are not kept once more", async (t) => {
  let unpacked = 0;
  const unit = (size: number) => ({
    size,
    unpack: async () => {
      unpacked++;
      return Buffer.alloc(size);
    },
  });
  const readTwice = async (size: number): Promise<number> => {
    unpacked = 0;
    const one = unit(size);
    const map = async (skip: number, length: number) => [
      { kind: "packed" as const, unit: one, skip, length },
    ];
    const source = { name: "units", size, map };
    for (let time = 0; time < 2; time++) await read(source, 0, size);
    return unpacked;
  };
  t.equal(await readTwice(60), 2);
  t.equal(await readTwice(65536), 1);
});

/** Prefetching, without a server: which directories and files it would prepare, and what it remembers. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t from "tap";
import { CorruptError } from "../../../src/errors.js";
import { lookAhead } from "../../../src/fuse/native/ahead.js";

const unexpected = (error: unknown): void => {
  t.fail(String(error));
};

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
};

t.test("the directories that a walk enters next are listed, depth first", async (t) => {
  const children = new Map([
    [1, [2, 3, 4]],
    [2, [20, 21]],
    [3, []],
    [4, [40]],
    [20, []],
    [21, [210]],
    [210, []],
    [40, []],
  ]);
  const prepared: number[] = [];
  const ahead = lookAhead(
    async (id) => {
      prepared.push(id);
      ahead.learn(id, [...children.get(id)!], [], true);
    },
    async () => false,
    unexpected,
  );
  ahead.learn(1, [...children.get(1)!], [], true);
  ahead.listed(1);
  await settle();
  t.same(prepared, [], "one directory is no walk");
  ahead.learn(2, [...children.get(2)!], [], true);
  ahead.listed(2);
  await settle();
  t.same(prepared, [20, 21, 210, 3, 4, 40]);
});

t.test("three million directories leave a bounded amount in memory", async (t) => {
  const ahead = lookAhead(
    () => new Promise(() => undefined),
    async () => false,
    unexpected,
  );
  const before = heap();
  const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
  // One with a million and a half, in pages; then a thousand with 1500 each, each of which is listed.
  for (let at = 0; at < 1_500_000; at += 200) ahead.learn(1, range(10 + at, 200), [], at === 0);
  for (let parent = 0; parent < 1000; parent++) {
    const first = 2e6 + 1500 * parent;
    ahead.learn(10 + parent, range(first, 1500), [], true);
    ahead.listed(10 + parent);
    for (let child = 0; child < 1500; child++) ahead.learn(first + child, [], [], true);
  }
  const grown = (heap() - before) / 1e6;
  t.ok(grown < 16, `${grown.toFixed(1)} MB`);
  ahead.listed(5);
});

t.test("an error of the disk is left to the request that meets it, a bug is reported", async (t) => {
  const reported: unknown[] = [];
  let error: Error = new CorruptError("damaged");
  const ahead = lookAhead(
    () => Promise.reject(error),
    async () => false,
    (seen) => reported.push(seen),
  );
  const walk = async (): Promise<void> => {
    ahead.learn(1, [2], [], true);
    ahead.learn(2, [3], [], true);
    ahead.listed(2);
    await settle();
  };
  await walk();
  t.same(reported, []);
  error = new TypeError("a bug");
  await walk();
  t.same(reported, [error]);
});

/** Bytes of the heap that are in use once garbage is collected. */
function heap(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

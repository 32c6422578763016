/** Read-ahead without a server: which directories it lists, and how much memory it takes. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t from "tap";
import { CorruptError } from "../../../src/errors.js";
import { readAheadFor, type ListedPage, type Prefetching } from "../../../src/fuse/native/read-ahead.js";

const unexpected = (error: unknown): void => {
  t.fail(String(error));
};

const pageOf = (directories: number[], isEnd = true): ListedPage => ({
  ...{ directories, files: [], last: 1, isEnd },
});

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
  const listed: number[] = [];
  const list: Prefetching["list"] = async (id, _offset, record) => {
    listed.push(id);
    record(pageOf(children.get(id)!));
  };
  const readAhead = readAheadFor({ list, open: async () => false }, unexpected);
  readAhead.directoryListed(1, 0, pageOf(children.get(1)!));
  await settle();
  t.same(listed, [], "one directory is no walk");
  readAhead.directoryListed(2, 0, pageOf(children.get(2)!));
  await settle();
  t.same(listed, [20, 21, 210, 3, 4, 40]);
});

t.test("three million directories leave a bounded amount in memory", async (t) => {
  const server = { list: () => new Promise<void>(() => undefined), open: async () => false };
  const readAhead = readAheadFor(server, unexpected);
  const before = heap();
  const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
  // One directory with a million and a half, in pages; then a thousand with 1500 each, each of which is listed.
  for (let at = 0; at < 1_500_000; at += 200)
    readAhead.directoryListed(1, at, pageOf(range(10 + at, 200), false));
  for (let parent = 0; parent < 1000; parent++) {
    const first = 2e6 + 1500 * parent;
    readAhead.directoryListed(10 + parent, 0, pageOf(range(first, 1500)));
    for (let child = 0; child < 1500; child++) readAhead.directoryListed(first + child, 1, pageOf([])); // no walk
  }
  const grown = (heap() - before) / 1e6;
  t.ok(grown < 16, `${grown.toFixed(1)} MB`);
  readAhead.directoryListed(5, 0);
});

t.test("an error of the disk is left to the request that meets it, a bug is reported", async (t) => {
  const reported: unknown[] = [];
  let error: Error = new CorruptError("damaged");
  const server = { list: () => Promise.reject(error), open: async () => false };
  const readAhead = readAheadFor(server, (seen) => reported.push(seen));
  const walk = async (): Promise<void> => {
    readAhead.directoryListed(1, 0, pageOf([2]));
    readAhead.directoryListed(2, 0, pageOf([3]));
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

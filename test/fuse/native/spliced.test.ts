/** Large reads of bytes that are adjacent in a file of the host: they go to the kernel through a pipe. */
import { readdirSync, readlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import t, { type Test } from "tap";
import { sliceList, type Extent } from "../../../src/extent/extent.js";
import { nativeBackend } from "../../../src/fuse/native/native.js";
import { openFile } from "../../../src/storage/file.js";
import { random } from "../../image/random.js";
import { place } from "../../support/place.js";
import { output, python } from "../support/mounted.js";
import { FakeTree } from "../support/tree.js";

const SIZE = 20_000_003;

/** Where the pieces of the file lie in the host's file, and their lengths: odd numbers; the third follows the second. */
const PIECES = [
  [7_000_001, 5_999_999],
  [0, 3_000_017],
  [3_000_017, 3_999_984],
  [13_000_000, 7_000_003],
] as const;

/** Mounts a file that consists of PIECES of `backing`. `model` has its bytes. */
async function served(t: Test) {
  const bytes = random(21).bytes(SIZE);
  const backing = join(t.testdir(), "backing");
  const model = join(t.testdirName, "model");
  writeFileSync(backing, bytes);
  writeFileSync(model, Buffer.concat(PIECES.map(([at, length]) => bytes.subarray(at, at + length))));
  const storage = await openFile(backing);
  t.teardown(() => storage.close());
  const extents: Extent[] = PIECES.map(([offset, length]) => ({ kind: "stored", storage, offset, length }));
  const tree = new FakeTree();
  const map = async (offset: number, length: number) => sliceList(extents, offset, length);
  tree.file(tree.top, "file", { name: "pieces", size: SIZE, map });
  const folder = place(t);
  const options = { source: "spliced", allowOther: false, allowRoot: false, extra: [] };
  const mount = await nativeBackend.mount(tree, folder, { ...options, log: pino({ level: "silent" }) });
  t.teardown(() => mount.unmount(true));
  return { path: join(folder, "file"), backing, model, mount };
}

/** The pipes of this process. */
const pipes = (): number => {
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ""; // the descriptor of the folder itself
    }
  });
  return links.filter((link) => link.startsWith("pipe:")).length;
};

/**
 * Reads argv[1] with O_DIRECT, and reports differences from argv[2]. Exactly the reads of the host's bytes from argv[3] on,
 * which are lost, must fail. Prints how many were right, and how many failed.
 */
const COMPARE = `
import mmap, random
random.seed(5)
pieces, cut, wrong, good, failed = ${JSON.stringify(PIECES)}, int(sys.argv[3]), [], 0, 0
fd, truth = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT), open(sys.argv[2], "rb").read()
room = mmap.mmap(-1, 1 << 20)
borders = [sum(length for _, length in pieces[:index]) for index in range(len(pieces) + 1)]
places = [random.randrange(len(truth)) for _ in range(200)]
places += [max(0, border - random.randrange(1 << 19)) for border in borders for _ in range(20)]
places += [border for border in borders] + [border - 1 for border in borders[1:]]
for at in places:
  length = random.choice([random.randrange(1, 1 << 20), 1 << 17, (1 << 17) - 1, 1 << 19, 1 << 20])
  end = min(at + length, len(truth))
  lost = any(at < start + size and start < end and offset + min(end - start, size) > cut
             for start, (offset, size) in zip(borders, pieces))
  room[:length] = b"x" * length
  try: got = os.preadv(fd, [memoryview(room)[:length]], at)
  except OSError as error:
    failed += 1
    if error.errno != 5 or not lost: wrong.append([at, length, error.errno])
    continue
  good += 1
  # Of a read that is larger than a request, the requests before the one that fails.
  if lost and (got == 0 or got % (1 << 19) > 0): wrong.append([at, length, got, "lost"])
  if room[:got] != truth[at:at + got] or not lost and got < end - at: wrong.append([at, length, got])
print(json.dumps({"wrong": wrong[:5], "good": good, "failed": failed}))`;

t.test(
  "large reads are the file's bytes, wherever they begin and end; no pipe outlives a mount",
  async (t) => {
    const before = pipes();
    const { path, model, mount } = await served(t);
    t.match(await python(COMPARE, path, model, String(SIZE)), { wrong: [], failed: 0 });
    await output("cmp", path, model);
    t.ok(pipes() > before, "they went through pipes");
    await mount.unmount(false);
    t.equal(pipes(), before);
  },
);

t.test("if a file of the host is truncated between two large reads, the second is EIO", async (t) => {
  const { path, backing, model } = await served(t);
  const cut = 14_234_567;
  const first = `
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
for _ in range(2): length = len(os.pread(fd, 300000, 14000000)) # the first read is not answered by a thread
print(json.dumps(length))`;
  const before = pipes();
  t.equal(await python(first, path), 300_000);
  t.ok(pipes() > before);
  truncateSync(backing, cut);
  const found = await python<{ wrong: unknown[]; good: number; failed: number }>(
    COMPARE,
    path,
    model,
    String(cut),
  );
  t.same(found.wrong, []);
  t.ok(found.good > 50 && found.failed > 50, `${found.good} good, ${found.failed} failed`);
});

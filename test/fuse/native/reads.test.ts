/**
 * Reads through the kernel from sources that lie in real files of the host: scattered, sparse, odd-sized, damaged. This
 * process serves the mount, so that tests can watch its event loop, and keep it busy.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import t, { type Test } from "tap";
import { nativeBackend } from "../../../src/fuse/native/native.js";
import { random } from "../../image/random.js";
import { place } from "../../support/place.js";
import { python } from "../support/mounted.js";
import { backingFiles, scattered, type Scattered } from "../support/scattered.js";
import { FakeTree } from "../support/tree.js";

/** Bytes of a window (src/fuse/native/windows.ts). */
const WINDOW = 64 * 2 ** 20;

/** Serves these files in one directory. Returns the messages in the log, too. */
async function served(t: Test, files: Readonly<Record<string, Scattered>>) {
  const tree = new FakeTree();
  for (const [name, { source }] of Object.entries(files)) tree.file(tree.top, name, source);
  const logged: string[] = [];
  const write = (line: string): void => {
    logged.push((JSON.parse(line) as { msg: string }).msg);
  };
  const folder = place(t);
  const options = { source: "reads", allowOther: false, allowRoot: false, extra: [] };
  const mount = await nativeBackend.mount(tree, folder, { ...options, log: pino({}, { write }) });
  t.teardown(() => mount.unmount(true));
  return { folder, logged };
}

/**
 * Reads argv[3] times from argv[1] as argv[2] says, and compares with argv[4], which has zeros where argv[1] is
 * damaged: the ranges argv[5]. Prints what was wrong, how many reads were right, and how many failed.
 */
const COMPARE = `
import mmap, random
path, how, count, model, damaged = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], json.loads(sys.argv[5])
random.seed(path + how)
fd = os.open(path, os.O_RDONLY | (os.O_DIRECT if how == "direct" else 0))
truth = os.open(model, os.O_RDONLY)
size = os.path.getsize(model)
room = mmap.mmap(-1, 1 << 20)
unit = 1 if how == "direct" else 4096 # bytes that are lost together
places = [random.randrange(size) for _ in range(count)] + [size, size + 5000]
places += [start + random.randrange(-5000, 5000) for start, _ in random.sample(damaged, min(len(damaged), 20)) * 5]
places += [window + random.randrange(-5000, 5000) for window in range(${WINDOW}, size, ${WINDOW}) for _ in range(5)]
wrong, good, failed = [], 0, 0
for at in places:
  at = max(at, 0)
  length = random.choice([1, 100, 4096, 4097, 60000, 1 << 20])
  length = random.randrange(1, length + 1)
  first, last = at // unit * unit, -(-min(at + length, size) // unit) * unit
  lost = at < size and any(start < last and first < end for start, end in damaged)
  # A part of a buffered read may come before what is lost.
  begun = how != "direct" and not any(start < first + unit and first < end for start, end in damaged)
  try: got = os.preadv(fd, [memoryview(room)[:length]], at)
  except OSError as error:
    failed += 1
    if error.errno != 5 or not lost: wrong.append([at, length, error.errno])
    continue
  good += 1
  expected = os.pread(truth, length, at)
  if lost and begun: expected = expected[:got]
  elif lost: wrong.append([at, length, "not lost"])
  if got == 0 and len(expected) > 0 or room[:got] != expected: wrong.append([at, length, got])
print(json.dumps({"wrong": wrong[:5], "good": good, "failed": failed}))`;

const compare = (path: string, how: string, count: number, { model, damaged }: Scattered) =>
  python<{ wrong: unknown[]; good: number; failed: number }>(
    COMPARE,
    ...[path, how, String(count), model, JSON.stringify(damaged)],
  );

t.test(
  "files of every kind of run are read as the model has them, past the page cache and through it",
  async (t) => {
    const numbers = random(11);
    const backing = await backingFiles(t, numbers, 5);
    const write = (size: number, kinds: Parameters<typeof scattered>[4]) =>
      scattered(t, numbers, backing, size, kinds);
    const files = {
      small: await write(777, ["stored", "zero", "inline"]),
      plain: await write(2 * WINDOW + 12_345, ["stored", "zero", "inline"]),
      packed: await write(WINDOW + 999_999, ["stored", "zero", "inline", "packed"]),
      damaged: await write(3 * WINDOW - 1, ["stored", "zero", "packed", "damaged"]),
      interleaved: await write(WINDOW + 3, ["interleaved"]),
      zeros: await write(5 * WINDOW + 1, ["zero"]),
    };
    const { folder } = await served(t, files);
    for (const [name, file] of Object.entries(files))
      for (const how of ["direct", "buffered"])
        t.test(`${name}, ${how}`, async (t) => {
          const found = await compare(join(folder, name), how, 300, file);
          t.same(found.wrong, []);
          t.ok(found.good > 250, `${found.good} reads were good`);
          t.equal(found.failed > 0, name === "damaged", `${found.failed} reads failed`);
        });
  },
);

t.test("reads from windows that the threads have do not reach JavaScript", async (t) => {
  const numbers = random(12);
  const backing = await backingFiles(t, numbers, 3);
  const file = await scattered(t, numbers, backing, 2 * WINDOW + 4567, ["stored", "zero", "inline"]);
  const { folder } = await served(t, { file });
  const path = join(folder, "file");
  t.same((await compare(path, "direct", 50, file)).wrong, []);
  const before = file.maps();
  t.ok(before >= 3, "every window was mapped");
  t.match(await compare(path, "direct", 200, file), { wrong: [], failed: 0 });
  t.equal(file.maps(), before);
});

t.test("reads of a file that is being read do not wait for a busy event loop", async (t) => {
  const numbers = random(13);
  const backing = await backingFiles(t, numbers, 3);
  const file = await scattered(t, numbers, backing, 1_000_003, ["stored", "zero", "inline"]);
  const { folder } = await served(t, { file });
  const progress = join(t.testdirName, "progress");
  writeFileSync(progress, "");
  const script = `
import mmap, os, random, sys
fd, truth = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT), open(sys.argv[2], "rb").read()
page, out = mmap.mmap(-1, 4096), os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND)
def read():
  at = random.randrange(len(truth) - 4096)
  os.preadv(fd, [page], at)
  os.write(out, b"." if page[:] == truth[at:at + 4096] else b"x")
for _ in range(20): read() # the first of them has the file opened
print("read", flush=True)
while True: read()`;
  const args = ["-c", script, join(folder, "file"), file.model, progress];
  const reader = spawn("python3", args, { stdio: ["ignore", "pipe", "inherit"] });
  const isOver = once(reader, "close");
  await Promise.race([once(reader.stdout, "data"), isOver]);
  const before = statSync(progress).size;
  const begun = Date.now();
  // Independent of the speed of the host: reads succeed while nothing else of this process runs.
  while (Date.now() - begun < 500 || (statSync(progress).size < before + 50 && Date.now() - begun < 20_000));
  const during = readFileSync(progress, "latin1").slice(before);
  reader.kill("SIGKILL");
  await isOver;
  t.ok(during.length >= 50, `${during.length} reads`);
  t.notMatch(during, "x");
});

t.test(
  "if a file of the host is truncated while mounted, reads past its end are EIO, and the log names file and byte",
  async (t) => {
    const numbers = random(14);
    const backing = await backingFiles(t, numbers, 1);
    const file = await scattered(t, numbers, backing, 3_000_000, ["whole"]);
    const { folder, logged } = await served(t, { file });
    const path = join(folder, "file");
    t.same((await compare(path, "direct", 20, file)).wrong, []);
    const { path: cut, storage } = backing[0]!;
    truncateSync(cut, 1_234_567);
    const damaged = [[1_234_567, 3_000_000]] as const;
    for (const how of ["direct", "buffered"]) {
      const found = await compare(path, how, 200, { ...file, damaged });
      t.same(found.wrong, [], how);
      t.ok(found.good > 20 && found.failed > 20, `${found.good} good, ${found.failed} failed`);
    }
    t.ok(logged.length > 0);
    t.ok(logged.every((line) => line.startsWith(`${storage.name}, byte 0x`)));
    t.match(logged.join("\n"), /the file's end is at byte \d+ or before it, but must be \d+ bytes further/);
  },
);

t.test("each error of damage is logged once", async (t) => {
  const numbers = random(15);
  const backing = await backingFiles(t, numbers, 1);
  const file = await scattered(t, numbers, backing, 500_000, ["stored", "damaged"]);
  const { folder, logged } = await served(t, { file });
  for (const how of ["direct", "direct", "buffered"])
    t.same((await compare(join(folder, "file"), how, 100, file)).wrong, [], how);
  t.ok(logged.length > 0);
  t.equal(new Set(logged).size, logged.length);
  t.ok(logged.every((line) => /^scattered, byte 0x[0-9a-f]+: damage$/.test(line)));
});

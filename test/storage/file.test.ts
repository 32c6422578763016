import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { CorruptError, UnsupportedError } from "../../src/errors.js";
import { openFile } from "../../src/storage/file.js";
import { readStored } from "../../src/storage/stored.js";

t.test("a pipe is refused without being opened: who writes to it still waits for a reader", async (t) => {
  const pipe = join(t.testdir(), "pipe");
  execFileSync("mkfifo", [pipe]);
  const writer = spawn("sh", ["-c", `echo x > "${pipe}"`], { stdio: "ignore" });
  await once(writer, "spawn");
  await sleep(200);
  await t.rejects(
    openFile(pipe),
    new UnsupportedError(`${pipe}: this is a pipe, but must be a disk image or a block device`),
  );
  await sleep(200);
  t.equal(writer.exitCode ?? writer.signalCode, null);
  writer.kill("SIGKILL");
});

t.test(
  "a file that is cut short once it is open gives what is left, and an error for the rest",
  async (t) => {
    const path = join(t.testdir(), "image");
    writeFileSync(path, Buffer.alloc(1000, "x"));
    const storage = await openFile(path);
    truncateSync(path, 600);
    const into = Buffer.alloc(600);
    await storage.read(into, 0);
    t.same(into, Buffer.alloc(600, "x"));
    await t.rejects(storage.read(into, 400), CorruptError);
    await t.rejects(storage.read(into, 400), /byte 0x258: the file's end is at byte 600 or before it/);
    await storage.close();
  },
);

t.test("a file that is closed while it is read gives its own bytes, and none afterwards", async (t) => {
  const path = join(t.testdir(), "image");
  const bytes = Buffer.alloc(4 * 2 ** 20, "own bytes");
  writeFileSync(path, bytes);
  for (let round = 0; round < 50; round++) {
    const storage = await openFile(path);
    const into = Buffer.alloc(bytes.length);
    const parts = [0, 1, 2, 3].map((index) => {
      const offset = index * 2 ** 20;
      return { storage, offset, into: into.subarray(offset, offset + 2 ** 20) };
    });
    const [alone, whole] = [Buffer.alloc(bytes.length), into];
    const reading = Promise.all([storage.read(alone, 0), readStored(parts.toReversed(), whole)]);
    const closing = storage.close();
    // Whoever opens a file now must not have the number of the one that is being read.
    const others = Array.from({ length: 8 }, () => openSync("/dev/zero", "r"));
    await reading;
    await closing;
    for (const fd of others) closeSync(fd);
    t.ok(alone.equals(bytes) && whole.equals(bytes));
    await t.rejects(storage.read(alone, 0), { code: "HOST", errno: "EBADF" });
  }
});

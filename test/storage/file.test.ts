import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { CorruptError, UnsupportedError } from "../../src/errors.js";
import { openFile } from "../../src/storage/file.js";

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

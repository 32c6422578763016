/** A disk that is written to while it is mounted: what the mount and the kernel have cached is dropped. */
import { spawn } from "node:child_process";
import { openSync, writeSync, closeSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import t, { type Test } from "tap";
import { ChangeFeed, type ByteRange } from "../../src/bytes/changes.js";
import { overlay } from "../../src/extent/overlay.js";
import { storageSource } from "../../src/extent/storage.js";
import type { FuseBackend } from "../../src/fuse/backend.js";
import { fuseNativeBackend } from "../../src/fuse/fuse-native/fuse-native.js";
import { nativeBackend } from "../../src/fuse/native/native.js";
import { openFile } from "../../src/storage/file.js";
import type { Storage } from "../../src/storage/storage.js";
import { composeTree } from "../../src/tree/compose.js";
import { entriesOf, ownerOf } from "../../src/tree/layout.js";
import { openView } from "../../src/tree/view.js";
import { place } from "../support/place.js";
import { output, run } from "./support/mounted.js";

const MIB = 2 ** 20;
const SIZE = 16 * MIB;
const marked = (mark: string): Buffer => Buffer.alloc(200_000, `${mark} `.repeat(100));

/** Mounts an ext4 whose image is a file of the host (`isRead`: through its descriptor; else as bytes that only we read). */
async function mountedDisk(t: Test, backend: FuseBackend, hasDescriptor: boolean) {
  const image = join(place(t), "disk.img");
  const source = join(place(t), "source");
  writeFileSync(image, "");
  truncateSync(image, SIZE);
  writeFileSync(source, marked("old"));
  await output("mke2fs", "-q", "-t", "ext4", "-F", image);
  await output("debugfs", "-w", "-R", `write ${source} file`, image);
  await output("debugfs", "-w", "-R", "mkdir directory", image);
  await output("debugfs", "-w", "-R", `write ${source} directory/removed`, image);

  const file = await openFile(image);
  t.teardown(() => file.close());
  const changes = new ChangeFeed<ByteRange>();
  const storage: Storage = {
    location: image,
    name: "disk.img",
    size: SIZE,
    changes,
    read: (into, offset) => file.read(into, offset),
    close: async () => undefined,
    ...(hasDescriptor && { fd: file.fd! }),
  };
  const disk = overlay([storageSource(storage)], "disk.img");
  const view = await openView({ source: disk, layers: [], warnings: [] }, {});
  const tree = composeTree({ kind: "directory", entries: entriesOf(image, view) }, await ownerOf(image));
  const folder = place(t);
  const logged: string[] = [];
  const write = (line: string): void => {
    logged.push((JSON.parse(line) as { msg: string }).msg);
  };
  const options = { source: "changes", allowOther: false, allowRoot: false, extra: [] };
  const mount = await backend.mount(tree, folder, { ...options, log: pino({}, { write }) });
  t.teardown(() => mount.unmount(true));
  return { image, folder, changes, logged };
}

/** A program that keeps `path` open, and prints its first 100 bytes and its size for each line that it gets. */
function holder(t: Test, path: string) {
  const script = `
import os, sys
f = os.open(sys.argv[1], os.O_RDONLY)
for _ in sys.stdin: print(os.pread(f, 100, 0).decode("latin1"), os.fstat(f).st_size, flush=True)`;
  const child = spawn("python3", ["-c", script, path], { stdio: ["pipe", "pipe", "inherit"] });
  t.teardown(() => child.kill());
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return async (): Promise<string> => {
    child.stdin.write("\n");
    return String((await lines.next()).value);
  };
}

/** Calls `look` until it returns `expected`; returns what it returned last. */
async function eventually(look: () => Promise<string>, expected: string): Promise<string> {
  let found = await look();
  for (let tries = 0; tries < 200 && found !== expected; tries++) {
    await sleep(20);
    found = await look();
  }
  return found;
}

const CASES = [
  { title: "that the threads read", backend: nativeBackend, hasDescriptor: true },
  { title: "that only TypeScript reads", backend: nativeBackend, hasDescriptor: false },
  { title: "that fuse-native serves", backend: fuseNativeBackend, hasDescriptor: true },
];

for (const { title, backend, hasDescriptor } of CASES) {
  /** What the kernel shows before it is notified; fuse-native does not let it cache anything. */
  const isCached = backend === nativeBackend;
  t.test(`an image ${title} is changed under a mount`, async (t) => {
    const { image, folder, changes, logged } = await mountedDisk(t, backend, hasDescriptor);
    const at = readFileSync(image).indexOf(marked("old").subarray(0, 4096));
    const head = async (name: string, skip: number): Promise<string> => {
      const dd = ["-c", `tail -c +${skip + 1} '${join(folder, name)}' | head -c 100`];
      return (await run("sh", dd)).stdout.toString("latin1");
    };
    const list = async (): Promise<string> =>
      (await run("sh", ["-c", `cd '${folder}/fs0' && ls directory && stat -c %s file`])).stdout.toString();
    const held = holder(t, join(folder, "fs0/file"));
    const text = (mark: string): string => marked(mark).toString("latin1", 0, 100);

    t.equal(await head("vhdd", at), text("old"));
    t.equal(await head("vol0", at), text("old"));
    t.equal(await head("fs0/file", 0), text("old"));
    t.equal(await held(), `${text("old")} 200000`);
    t.equal(await list(), "removed\n200000\n");

    t.comment("the bytes of one file");
    const fd = openSync(image, "r+");
    writeSync(fd, marked("new"), 0, 200_000, at);
    closeSync(fd);
    if (isCached) {
      t.equal(await head("vhdd", at), text("old"), "cached by the kernel");
      t.equal(await held(), `${text("old")} 200000`);
    }
    changes.emit({ offset: at, length: 200_000 });
    t.equal(await eventually(() => head("vhdd", at), text("new")), text("new"));
    t.equal(await eventually(() => head("vol0", at), text("new")), text("new"));
    t.equal(await eventually(() => head("fs0/file", 0), text("new")), text("new"));
    t.equal(await eventually(held, `${text("new")} 200000`), `${text("new")} 200000`, "of an open file");

    t.equal(await list(), "removed\n200000\n");
    t.comment("names, sizes and contents, by debugfs");
    const short = join(place(t), "short");
    writeFileSync(short, marked("last").subarray(0, 5000));
    for (const command of [
      "rm directory/removed",
      `write ${short} directory/added`,
      "set_inode_field file size 1000",
    ])
      await output("debugfs", "-w", "-R", command, image);
    if (isCached) t.equal(await list(), "removed\n200000\n", "cached by the kernel");
    changes.emit({ offset: 0, length: SIZE });
    t.equal(await eventually(list, "added\n1000\n"), "added\n1000\n");
    t.equal(await head("fs0/directory/added", 0), text("last"));
    t.equal((await run("cat", [join(folder, "fs0/directory/removed")])).code, 1);
    t.equal(await eventually(held, `${text("new")} 1000`), `${text("new")} 1000`, "of an open file");

    t.comment("the file system is removed");
    truncateSync(image, 0);
    truncateSync(image, SIZE);
    changes.emit({ offset: 0, length: SIZE });
    t.equal(await eventually(() => head("vhdd", 1080), "\0".repeat(100)), "\0".repeat(100));
    t.equal(await eventually(list, ""), "");
    t.match(logged.at(-1), /removed from this volume/);
  });
}

/** What the addon adds to Node, judged by other programs of the host. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { loadAddon, type Addon } from "../../src/storage/addon.js";
import { random } from "../image/random.js";

const addon = ((): Addon => {
  const loaded = loadAddon();
  if (typeof loaded === "string") throw new Error(loaded);
  return loaded;
})();

const output = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

function opened(t: Test, path: string, flags = "r"): number {
  const fd = openSync(path, flags);
  t.teardown(() => {
    closeSync(fd);
  });
  return fd;
}

t.test("data and holes are where filefrag and lseek see them, to the last", async (t) => {
  const path = join(t.testdir(), "sparse");
  const numbers = random(5);
  const file = openSync(path, "w");
  for (let block = 1; block < 300; block += 1 + numbers.below(20))
    writeSync(file, numbers.bytes(4096 * (1 + numbers.below(3))), 0, undefined, block * 4096);
  ftruncateSync(file, 2 ** 32 + 777); // it ends in a hole, past 32 bits
  closeSync(file);
  const fd = opened(t, path);

  const stretches: [number, number][] = [];
  for (let at = 0; ;) {
    const data = await addon.seekData(fd, at).catch((error: unknown) => {
      t.match(error, { code: "ENXIO", syscall: "lseek" });
    });
    if (data === undefined) break;
    at = await addon.seekHole(fd, data);
    stretches.push([data, at]);
  }
  t.same(stretches, stretchesOf(output("filefrag", "-v", "-s", "-b4096", path)));
  t.ok(stretches.length > 10);

  const [[start, end]] = stretches as [[number, number]];
  t.equal(await addon.seekData(fd, start + 5), start + 5, "within data");
  t.equal(await addon.seekHole(fd, end + 5), end + 5, "within a hole");
  t.equal(await addon.seekHole(fd, 2 ** 32 + 776), 2 ** 32 + 776);
  for (const seek of [addon.seekData.bind(addon), addon.seekHole.bind(addon)])
    await t.rejects(seek(fd, 2 ** 32 + 777), { code: "ENXIO" }, "at the file's end");
  await t.rejects(addon.seekData(1 << 20, 0), {
    code: "EBADF",
    message: "EBADF: bad file descriptor, lseek",
  });
});

/** The stretches of data in what `filefrag -v` prints, in bytes, joined where they touch. */
function stretchesOf(printed: string): [number, number][] {
  const joined: [number, number][] = [];
  for (const [, first, last] of printed.matchAll(/^ *\d+: *(\d+)\.\. *(\d+):/gm)) {
    const [start, end] = [Number(first) * 4096, (Number(last) + 1) * 4096];
    const before = joined.at(-1);
    if (before?.[1] === start) before[1] = end;
    else joined.push([start, end]);
  }
  return joined;
}

t.test("a block device's size is blockdev's, odd numbers of sectors too", (t) => {
  const path = join(t.testdir(), "image");
  for (const size of [512, 2 ** 20 + 512, 2 ** 33 + 1536]) {
    writeFileSync(path, "");
    truncateSync(path, size);
    const device = output("losetup", "--show", "-rf", path).trim();
    try {
      const fd = openSync(device, "r");
      t.equal(addon.blockDeviceSize(fd), size);
      t.equal(addon.blockDeviceSize(fd), Number(output("blockdev", "--getsize64", device)));
      closeSync(fd);
    } finally {
      output("losetup", "-d", device);
    }
  }
  t.throws(() => addon.blockDeviceSize(opened(t, path)), { code: "ENOTTY", syscall: "ioctl" });
  t.end();
});

/** Takes an open-file-description lock of argv[1]: "read" or "write" argv[2], offset argv[3], length argv[4]. */
const HOLDER = `
import fcntl, struct, sys
F_OFD_SETLK = 37
file = open(sys.argv[1], "r+b")
kind = {"read": fcntl.F_RDLCK, "write": fcntl.F_WRLCK}[sys.argv[2]]
try:
  fcntl.fcntl(file, F_OFD_SETLK, struct.pack("hhqqi4x", kind, 0, int(sys.argv[3]), int(sys.argv[4]), 0))
  print("held", flush=True)
  sys.stdin.read()
except BlockingIOError: print("refused", flush=True)`;

async function holder(path: string, kind: "read" | "write", offset: number, length: number) {
  const child = spawn("python3", ["-c", HOLDER, path, kind, String(offset), String(length)]);
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  return {
    said: said.toString().trim(),
    async end() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, "close");
    },
  };
}

t.test("locks keep another process out, and its locks us, byte for byte", async (t) => {
  const path = join(t.testdir({ file: "x".repeat(1000) }), "file");
  const far = 2 ** 40;
  const fd = opened(t, path, "r+");

  const writer = await holder(path, "write", far, 100);
  t.equal(writer.said, "held");
  t.same([addon.isLocked(fd, false, far + 99, 1), addon.lock(fd, false, far + 99, 1)], [true, false]);
  t.same([addon.isLocked(fd, true, far + 100, 1), addon.isLocked(fd, true, far - 10, 10)], [false, false]);
  t.equal(addon.isLocked(fd, false, 0, 0), true, "a length of 0 reaches to the end of all files");
  await writer.end();
  t.equal(addon.isLocked(fd, true, far, 100), false);

  const reader = await holder(path, "read", 0, 10);
  t.same([addon.isLocked(fd, false, 0, 10), addon.isLocked(fd, true, 9, 1)], [false, true]);
  t.same([addon.lock(fd, false, 0, 10), addon.lock(fd, true, 0, 10)], [true, false]);
  await reader.end();

  t.equal((await holder(path, "write", 5, 1)).said, "refused", "we have read it");
  const another = await holder(path, "read", 5, 1);
  t.equal(another.said, "held");
  await another.end();
  t.equal(addon.lock(fd, true, 0, 10), true);
  t.equal((await holder(path, "read", 9, 1)).said, "refused", "we write it");

  const second = openSync(path, "r+");
  t.equal(addon.lock(second, true, 0, 10), false, "within one process, too, each opening has its own");
  closeSync(second);
  t.throws(() => addon.lock(1 << 20, false, 0, 1), { code: "EBADF", syscall: "fcntl" });
  t.throws(() => addon.lock(opened(t, path), true, 0, 1), { code: "EBADF" }, "to write-lock is to write");
});

t.test("qemu's lock on an image that it uses is seen", async (t) => {
  const path = join(t.testdir(), "image.qcow2");
  output("qemu-img", "create", "-q", "-f", "qcow2", path, "1M");
  const fd = opened(t, path);
  // block/file-posix.c: byte 100 + n is locked for reading by whoever has the permission n; 1 is to write.
  const QEMU_WRITES = 100 + 1;
  t.equal(addon.isLocked(fd, true, QEMU_WRITES, 1), false);
  const qemu = spawn("qemu-io", [path]);
  qemu.stdin.write("length\n");
  await once(qemu.stdout, "data");
  t.equal(addon.isLocked(fd, true, QEMU_WRITES, 1), true);
  qemu.stdin.end("quit\n");
  await once(qemu, "close");
  t.equal(addon.isLocked(fd, true, QEMU_WRITES, 1), false);
});

t.test("copied ranges are the bytes that were asked for, and end where the file does", async (t) => {
  const folder = t.testdir();
  const bytes = random(6).bytes(3 * 2 ** 20 + 77);
  writeFileSync(join(folder, "from"), bytes);
  const from = opened(t, join(folder, "from"));
  const to = opened(t, join(folder, "to"), "w+");
  const expected = Buffer.alloc(5 * 2 ** 20);
  let size = 0;
  for (const [fromOffset, toOffset, length] of [
    [0, 2 ** 20, 2 ** 20],
    [12_345, 4096 * 3 + 1, 500_001],
    [2 ** 20 * 3, 5_000_000, 1000], // reaches past the end
  ] as const) {
    let done = 0;
    for (let copied = 1; copied > 0 && done < length; done += copied)
      copied = await addon.copyFileRange(from, fromOffset + done, to, toOffset + done, length - done);
    t.equal(done, Math.min(length, bytes.length - fromOffset));
    bytes.copy(expected, toOffset, fromOffset, fromOffset + done);
    size = Math.max(size, toOffset + done);
  }
  t.ok(readFileSync(join(folder, "to")).equals(expected.subarray(0, size)));
  const notToBeWritten = addon.copyFileRange(from, 0, from, 10, 100);
  await t.rejects(notToBeWritten, { code: "EBADF", syscall: "copy_file_range" });
});

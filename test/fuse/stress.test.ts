/**
 * A disk under load, mounted by the command: every byte verified, and what happens when one side is killed. Longer,
 * and on a larger disk, with scripts/stress.sh.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { output, vdisk } from "../support/command.js";
import { place } from "../support/place.js";
import { isMounted } from "./support/mounted.js";
import { patternedDisk, verifyDisk } from "./support/patterned-disk.js";

/** Seconds that fio reads for, and MiB of the disk. */
const SECONDS = Number(process.env["VDISK_STRESS_SECONDS"] ?? 4);
const BLOCKS = Number(process.env["VDISK_STRESS_BLOCKS"] ?? 96);

const disk = await patternedDisk(t.testdir(), BLOCKS);

/** Mounts with the native backend. */
async function mounted(t: Test, image = disk.image) {
  const folder = place(t);
  const { stdout, stderr } = await vdisk("mount", "--fuse-backend", "native", image, folder);
  const log = /its log is (.*)$/m.exec(stdout)?.[1];
  if (log === undefined) throw new Error(stderr);
  const line = readFileSync(log, "utf8")
    .split("\n")
    .find((line) => line.includes('"mounted"'))!;
  return { folder, vhdd: join(folder, "vhdd"), daemon: (JSON.parse(line) as { pid: number }).pid };
}

/** Reads argv[1] until that fails or standard input ends. Prints how many reads were right, and the errno's name. */
const READER = `
import errno, json, mmap, os, random, select, sys
random.seed(sys.argv[3])
fd, raw = os.open(sys.argv[1], os.O_RDONLY | (os.O_DIRECT if random.random() < 0.5 else 0)), os.open(sys.argv[2], os.O_RDONLY)
size, room, good, failed = os.path.getsize(sys.argv[2]), mmap.mmap(-1, 1 << 20), 0, None
print("reading", flush=True)
while failed is None and not select.select([sys.stdin], [], [], 0)[0]:
  at, length = random.randrange(size), random.randrange(1, 1 << 20)
  try:
    got = os.preadv(fd, [memoryview(room)[:length]], at)
    if room[:got] != os.pread(raw, got, at): failed = "wrong"
    elif got == min(length, size - at): good += 1
    elif os.pread(fd, 1, at + got) == b"": failed = "short" # what was there before an error is given first
  except OSError as error: failed = errno.errorcode[error.errno]
print(json.dumps([good, failed]))`;

interface Reader {
  readonly child: ChildProcess;
  /** How many reads were right, and the errno with which the last one failed. */
  end(): Promise<[number, string | null]>;
}

/** Readers that have begun. */
async function readers(path: string, count: number): Promise<Reader[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, seed) => {
      const child = spawn("python3", ["-c", READER, path, disk.raw, String(seed)], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      let said = "";
      child.stdout.on("data", (part: Buffer) => (said += part.toString()));
      const closed = once(child, "close");
      await Promise.race([once(child.stdout, "data"), closed]);
      return {
        child,
        async end() {
          child.stdin.end();
          await closed;
          return JSON.parse(said.split("\n")[1]!) as [number, string | null];
        },
      };
    }),
  );
}

/** Waits for ten seconds at most: all here takes less, unless it hangs. */
async function until(what: string, holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds(); waited += 20) {
    if (waited > 10_000) throw new Error(`not within ten seconds: ${what}`);
    await sleep(20);
  }
}

/** The number of descriptors of the process, without those of pipes, which a mount creates when it first needs them. */
const descriptors = (process: number): number => {
  const folder = `/proc/${process}/fd`;
  const isPipe = readdirSync(folder).map((fd) => readlinkSync(join(folder, fd)).startsWith("pipe:"));
  const pipes = isPipe.filter(Boolean).length;
  if (pipes > MOST_PIPES) throw new Error(`${pipes} descriptors of pipes`);
  return isPipe.length - pipes;
};

/** Descriptors of pipes at most: libuv's, and two for each of the addon's buffers, of which there are eight at most. */
const MOST_PIPES = 8 + 2 * 8;

t.test("fio verifies every block that eight jobs read, and notices a state that is another", async (t) => {
  const { folder, vhdd, daemon } = await mounted(t);
  const before = descriptors(daemon);
  t.ok((await verifyDisk(vhdd, SECONDS)) > SECONDS * 10e6);
  t.equal(descriptors(daemon), before);
  t.comment(/VmHWM.*/.exec(readFileSync(`/proc/${daemon}/status`, "utf8"))?.[0]);
  await output("cmp", disk.raw, vhdd);
  t.equal((await vdisk("unmount", folder)).code, 0);
  const other = await mounted(t, disk.before);
  await t.rejects(verifyDisk(other.vhdd, 1));
  t.equal((await vdisk("unmount", other.folder)).code, 0);
});

t.test(
  "killed under load, the daemon leaves its readers an error, and a mount that can be unmounted",
  async (t) => {
    for (let round = 0; round < 3; round++) {
      const { folder, vhdd, daemon } = await mounted(t);
      const reading = await readers(vhdd, 8);
      await sleep(300);
      process.kill(daemon, "SIGKILL");
      await until("the readers end", () => reading.every(({ child }) => child.exitCode !== null));
      for (const [good, failed] of await Promise.all(reading.map((reader) => reader.end()))) {
        t.ok(good > 0);
        // The last one is the error of a read that was under way.
        t.ok(["ENOTCONN", "EIO", "ECONNABORTED"].includes(String(failed)), `the end was ${failed}`);
      }
      t.equal((await vdisk("unmount", folder)).code, 0);
      t.notOk(isMounted(folder));
    }
  },
);

t.test("readers that are killed during reads leave nothing behind in the daemon", async (t) => {
  const { folder, vhdd, daemon } = await mounted(t);
  const witnesses = await readers(vhdd, 2);
  const before = descriptors(daemon);
  for (let round = 0; round < 3; round++) {
    const reading = await readers(vhdd, 6);
    await sleep(50);
    for (const { child } of reading) child.kill("SIGKILL");
    await until("the readers are gone", () => reading.every(({ child }) => child.signalCode !== null));
  }
  t.equal(descriptors(daemon), before);
  for (const [good, failed] of await Promise.all(witnesses.map((reader) => reader.end()))) {
    t.ok(good > 0);
    t.equal(failed, null);
  }
  await output("cmp", disk.raw, vhdd);
  t.equal((await vdisk("unmount", folder)).code, 0);
  await until("the daemon ends", () => !existsSync(`/proc/${daemon}`));
});

t.test(
  "after a lazy unmount under load, open files can be read, and the last close ends the daemon",
  async (t) => {
    const { folder, vhdd, daemon } = await mounted(t);
    const reading = await readers(vhdd, 6);
    await output("umount", "-l", folder);
    t.notOk(isMounted(folder));
    const [first, ...others] = reading;
    await sleep(300);
    for (const [good, failed] of await Promise.all(others.map((reader) => reader.end()))) {
      t.ok(good > 0);
      t.equal(failed, null);
    }
    t.ok(existsSync(`/proc/${daemon}`), "one is still reading");
    await sleep(300);
    t.match(await first!.end(), [Number, null]);
    await until("the daemon ends", () => !existsSync(`/proc/${daemon}`));
  },
);

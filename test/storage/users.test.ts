/** Who uses an image: judged by the programs that do. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, copyFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { usersOf, type FileUser } from "../../src/storage/users.js";
import { BASE, output, vdisk } from "../support/command.js";
import { place } from "../support/place.js";

function image(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "vdisk-users-"));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, "web.vdi");
  copyFileSync(BASE, path);
  return path;
}

/** Starts a program, and waits until it has said its first word: then it has what it wants. */
async function start(t: Test, program: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn("/usr/bin/env", ["NODE_OPTIONS=", program, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  t.teardown(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  await Promise.race([new Promise((resolve) => child.stdout.once("data", resolve)), ended]);
  return child;
}

const python = (t: Test, script: string, path: string): Promise<ChildProcess> => {
  const whole = `import fcntl, os, struct, sys, time\n${script}\nprint("ready", flush=True)\ntime.sleep(60)`;
  return start(t, "python3", "-c", whole, path);
};

/** As one line, the process apart; it is given time to be seen. */
async function tell(path: string): Promise<{ said: string[]; users: FileUser[] }> {
  let users: FileUser[] = [];
  for (let looks = 0; looks < 20 && users.length === 0; looks++) {
    users = usersOf([path]);
    await sleep(5);
  }
  const said = users.map(({ how, process, device }) => `${process?.program ?? device ?? "?"}: ${how}`);
  return { said, users };
}

t.test("qemu is noticed where it writes, with its process, and not where it reads", async (t) => {
  for (const format of ["vdi", "raw"]) {
    const path = image(t);
    const blockdev = (isReadOnly: boolean): string =>
      `driver=${format},node-name=d,read-only=${isReadOnly ? "on" : "off"},file.driver=file,file.filename=${path}`;
    const daemon = (isReadOnly: boolean): Promise<ChildProcess> =>
      start(
        t,
        "qemu-storage-daemon",
        "--blockdev",
        blockdev(isReadOnly),
        "--chardev",
        "stdio,id=c",
        "--monitor",
        "chardev=c",
      );
    const reader = await daemon(true);
    t.same((await tell(path)).said, [], format);
    reader.kill("SIGKILL");
    await new Promise((resolve) => reader.once("close", resolve));
    const writer = await daemon(false);
    const { said, users } = await tell(path);
    t.same(said, ["qemu-storage-daemon: open for writing"], format);
    t.equal(users[0]!.process?.pid, writer.pid);
  }
});

t.test("a plain writer is noticed, also by another name of the image; a reader is not", async (t) => {
  const path = image(t);
  await python(t, "f = os.open(sys.argv[1], os.O_RDONLY)", path);
  t.same((await tell(path)).said, []);
  const writer = await python(t, "f = os.open(sys.argv[1], os.O_WRONLY)", path);
  symlinkSync(path, `${path}.link`);
  for (const name of [path, `${path}.link`]) {
    const { said, users } = await tell(name);
    t.same(said, ["python3: open for writing"]);
    t.match(users, [{ path: name, process: { pid: writer.pid! } }]);
  }
});

t.test("locks are noticed that keep others from writing or tell that their owner does", async (t) => {
  const reading = "f = os.open(sys.argv[1], os.O_RDONLY)\n";
  const ofd = "fcntl.fcntl(f, 37, struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, FIRST, LENGTH, 0))"; // F_OFD_SETLK
  const cases: [string, string[]][] = [
    ["fcntl.flock(f, fcntl.LOCK_EX)", ["python3: locked"]],
    ["fcntl.flock(f, fcntl.LOCK_SH)", []],
    ["fcntl.lockf(f, fcntl.LOCK_SH)", []],
    [ofd.replace("FIRST", "100").replace("LENGTH", "1"), []],
    [ofd.replace("FIRST", "200").replace("LENGTH", "4"), []],
    [ofd.replace("FIRST", "0").replace("LENGTH", "0"), []],
    [ofd.replace("FIRST", "100").replace("LENGTH", "2"), ["?: locked"]],
    [ofd.replace("FIRST", "103").replace("LENGTH", "1"), ["?: locked"]],
  ];
  for (const [script, expected] of cases) {
    const path = image(t);
    await python(t, reading + script, path);
    t.same((await tell(path)).said, expected, script);
  }
});

t.test("an exclusive lock of fcntl is its owner's, who is told once", async (t) => {
  const path = image(t);
  await python(t, "f = os.open(sys.argv[1], os.O_RDWR)\nfcntl.lockf(f, fcntl.LOCK_EX)", path);
  t.same((await tell(path)).said, ["python3: open for writing"]);
});

t.test("a loop device writes for the kernel, unless it is read-only", async (t) => {
  const path = image(t);
  for (const isReadOnly of [true, false]) {
    const options = isReadOnly ? ["--read-only"] : [];
    const device = (await output("losetup", ...options, "--find", "--show", path)).trim();
    try {
      const expected = isReadOnly ? [] : [{ path, how: "open for writing", device }];
      t.same(usersOf([path]), expected);
      t.same(usersOf([BASE]), [], "another image of that name");
    } finally {
      await output("losetup", "--detach", device);
    }
  }
});

t.test("what cannot be looked at is no reason to fail", async (t) => {
  t.same(usersOf([]), []);
  t.same(usersOf(["/nowhere/at/all", "/dev/null/x"]), []);
});

t.test(
  "commands warn that the disk changes by program and process, unless --allow-live is given",
  async (t) => {
    const path = image(t);
    const mounted = await vdisk("mount", path, place(t));
    t.equal(mounted.code, 0);
    t.notMatch((await vdisk("ls", path)).stderr, /moving/, "a mount of ours is no reason");
    const writer = await python(t, "f = os.open(sys.argv[1], os.O_RDWR)", path);
    const expected = new RegExp(
      `python3 \\(process ${writer.pid}\\) has it open for writing.*the disk changes while it is read`,
    );
    for (const command of [["ls"], ["cat"], ["info"]]) {
      const args = [...command, path, ...(command[0] === "cat" ? ["/etc/hostname"] : [])];
      const { code, stdout, stderr } = await vdisk(...args);
      t.equal(code, 0);
      t.match(command[0] === "info" ? stdout : stderr, expected, command[0]!);
      const quiet = await vdisk(...args, "--allow-live");
      t.notMatch(quiet.stdout + quiet.stderr, /moving/);
    }
    const [folder, other] = [place(t), place(t)];
    t.match(await vdisk("mount", path, folder), { code: 0, stderr: expected }, "a mount tells at once");
    const quiet = await vdisk("mount", "--allow-live", path, other);
    t.match(quiet, { code: 0, stdout: /is mounted/ });
    t.notMatch(quiet.stderr, /moving/);
  },
);

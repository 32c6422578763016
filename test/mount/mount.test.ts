/** Mounting as a person does it: the built command, from outside, with both backends. */
import {
  chmodSync,
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { attempt, BASE, NEWEST, output, ROOT, run, vdisk, VDISK, type Result } from "../support/command.js";
import { place } from "../support/place.js";

const COMPARE = join(ROOT, "test/support/compare_trees.py");
const backends = ["native", "fuse-native"] as const;

if (process.getuid!() !== 0) throw new Error("these tests mount with the kernel, as root");
// As udev has it; in containers it is often root's alone.
chmodSync("/dev/fuse", 0o666);

/** The process that serves `folder`. */
async function daemonOf(log: string): Promise<number> {
  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  return (JSON.parse(lines.find((line) => line.includes('"mounted"'))!) as { pid: number }).pid;
}

function logOf({ stdout }: Result): string {
  return /its log is (.*)$/m.exec(stdout)![1]!;
}

for (const backend of backends) {
  t.test(`${backend}: what is mounted is the disk, its partitions and its files`, async (t) => {
    const folder = place(t);
    const mounted = await vdisk("mount", "--fuse-backend", backend, NEWEST, folder);
    t.equal(mounted.code, 0, mounted.stderr);
    t.same((await output("ls", folder)).trimEnd().split("\n"), [
      "fs0",
      "fs1",
      "snapshots",
      "vhdd",
      "vol0",
      "vol1",
      basename(NEWEST),
    ]);
    t.equal(await output("readlink", join(folder, basename(NEWEST))), `${NEWEST}\n`);
    t.equal(await output("cat", join(folder, "fs1/etc/os-release")), 'NAME="Example Linux"\nVERSION="12"\n');
    t.equal((await output("stat", "-c", "%s", join(folder, "vhdd"))).trim(), "15728640");
    t.equal((await vdisk("unmount", folder)).code, 0);
    t.same(readdirSync(folder), []);
  });

  t.test(`${backend}: a base image is the disk that qemu-img makes of it`, async (t) => {
    const folder = place(t);
    const raw = join(t.testdir(), "raw");
    await output("qemu-img", "convert", "-O", "raw", BASE, raw);
    t.equal((await vdisk("mount", BASE, folder, "--fuse-backend", backend)).code, 0);
    t.equal((await run("cmp", [raw, join(folder, "vhdd")])).code, 0);
    t.equal((await vdisk("umount", folder)).code, 0);
  });

  t.test(`${backend}: the kernel's own mount of volN shows what fsN shows`, async (t) => {
    const [folder, judge] = [place(t), place(t)];
    t.equal((await vdisk("mount", NEWEST, folder, "--fuse-backend", backend)).code, 0);
    const ignored = backend === "native" ? [] : ["st_atime_ns", "st_mtime_ns", "st_ctime_ns"];
    for (const index of [0, 1]) {
      const device = (await output("losetup", "-r", "-f", "--show", join(folder, `vol${index}`))).trim();
      try {
        await output("mount", "-o", "ro", device, judge);
        const compared = await run("python3", [
          COMPARE,
          judge,
          join(folder, `fs${index}`),
          ...ignored.flatMap((field) => ["--ignore", field]),
        ]);
        t.equal(compared.code, 0, compared.stdout);
        t.match(compared.stdout, / 0 differences/);
        await output("umount", judge);
      } finally {
        attempt("umount", judge);
        attempt("losetup", "-d", device);
      }
    }
    t.equal((await vdisk("unmount", folder)).code, 0);
  });

  t.test(`${backend}: a killed daemon leaves a mount point that unmount clears`, async (t) => {
    const folder = place(t);
    const pid = await daemonOf(logOf(await vdisk("mount", NEWEST, folder, "--fuse-backend", backend)));
    process.kill(pid, "SIGKILL");
    await sleep(100);
    t.not((await run("ls", [folder])).code, 0);
    t.match(await vdisk("mount", NEWEST, folder), { code: 77, stderr: /vdisk unmount/ });
    t.equal((await vdisk("unmount", folder)).code, 0);
    t.equal(
      (await vdisk("mount", NEWEST, folder, "--fuse-backend", backend)).code,
      0,
      "and it can be used again",
    );
    t.equal((await vdisk("unmount", folder)).code, 0);
  });

  t.test(`${backend}: SIGTERM unmounts, and the daemon ends with its image closed`, async (t) => {
    const folder = place(t);
    const log = logOf(await vdisk("mount", NEWEST, folder, "--fuse-backend", backend));
    const pid = await daemonOf(log);
    process.kill(pid, "SIGTERM");
    for (let waited = 0; waited < 5000 && isRunning(pid); waited += 50) await sleep(50);
    t.notOk(isRunning(pid));
    t.same(readdirSync(folder), []);
    t.match(readFileSync(log, "utf8"), /"unmounted"/);
  });
}

t.test("a mount in use is not unmounted, but -z detaches it", async (t) => {
  const folder = place(t);
  const pid = await daemonOf(logOf(await vdisk("mount", NEWEST, folder)));
  const { spawn } = await import("node:child_process");
  const user = spawn("sleep", ["60"], { cwd: join(folder, "fs1") });
  await sleep(100);
  t.match(await vdisk("unmount", folder), { code: 77, stderr: /in use.* -z/ });
  t.equal((await vdisk("unmount", "-z", folder)).code, 0);
  t.same(readdirSync(folder), []);
  user.kill();
  for (let waited = 0; waited < 5000 && isRunning(pid); waited += 50) await sleep(50);
  t.notOk(isRunning(pid), "the daemon ends with the last user");
});

t.test("a missing image leaves no process, and does not change the log of the mount before", async (t) => {
  const folder = place(t);
  const log = logOf(await vdisk("mount", NEWEST, folder));
  t.equal((await vdisk("unmount", folder)).code, 0);
  const pid = await daemonOf(log);
  for (let waited = 0; waited < 5000 && isRunning(pid); waited += 50) await sleep(50);
  const before = readFileSync(log, "utf8");
  t.match(await vdisk("mount", "no such machine", folder), { code: 66, stdout: /^$/ });
  t.equal(readFileSync(log, "utf8"), before);
  const left = await run("pgrep", ["-f", `daemon.js .* ${folder}`]);
  t.match(left, { code: 1, stdout: /^$/ }, "the process that was begun meanwhile has ended");
  t.equal((await vdisk("mount", NEWEST, folder)).code, 0);
  t.equal(readFileSync(log, "utf8").match(/"mounted"/g)?.length, 1, "a mount begins its log anew");
  t.equal((await vdisk("unmount", folder)).code, 0);
});

t.test("--foreground serves until it is interrupted", async (t) => {
  const folder = place(t);
  const { spawn } = await import("node:child_process");
  const child = spawn(process.execPath, [VDISK, "mount", "--foreground", NEWEST, folder], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (part: Buffer) => (said += part.toString()));
  for (let waited = 0; waited < 20000 && !said.includes('"mounted"'); waited += 50) await sleep(50);
  t.equal((await output("ls", join(folder, "fs1/etc"))).split("\n").length, 5);
  child.kill("SIGINT");
  const code = await new Promise((resolve) => child.on("exit", resolve));
  t.equal(code, 0);
  t.same(readdirSync(folder), []);
});

t.test(
  "mounting fails with the reason if the log cannot be created, but not if the record cannot",
  async (t) => {
    const folder = place(t);
    const state = t.testdir();
    const mount = (): Promise<Result> =>
      run(process.execPath, [VDISK, "mount", NEWEST, folder], { XDG_STATE_HOME: state });
    const log = logOf(await mount());
    t.equal((await vdisk("unmount", folder)).code, 0);
    rmSync(log);
    mkdirSync(log);
    t.match(await mount(), {
      code: 74,
      stderr: `vdisk: ${log}: rename failed: illegal operation on a directory\n`,
    });
    t.match(await vdisk("unmount", folder), { code: 66 }, "nothing is left mounted");
    rmSync(log, { recursive: true });

    mkdirSync(log.replace(/log$/, "json"));
    t.equal((await mount()).code, 0);
    t.match(readFileSync(log, "utf8"), /cannot write the record of this mount/);
    t.equal((await vdisk("unmount", folder)).code, 0);
  },
);

t.test("a log that cannot be written loses lines, and the mount goes on", async (t) => {
  const folder = place(t);
  const { spawn } = await import("node:child_process");
  const full = openSync("/dev/full", "w");
  const log = join(t.testdir({ log: "" }), "log"); // what the daemon takes "full" for
  const request = { image: NEWEST, mountPoint: folder, allowDirs: [], allowOther: false, allowRoot: false };
  const rest = { fileSystems: {}, options: [], backend: "native", logLevel: "info" };
  const ways = [
    [VDISK, "mount", "--foreground", NEWEST, folder],
    [join(ROOT, "dist/mount/daemon.js"), log, folder],
  ];
  for (const args of ways) {
    const child = spawn(process.execPath, args, { stdio: ["ignore", full, full, "ipc"] });
    if (args[1] === log) child.send({ ...request, ...rest }); // what a daemon is asked for
    for (let waited = 0; waited < 10_000 && readdirSync(folder).length === 0; waited += 50) await sleep(50);
    t.equal(readFileSync(join(folder, "fs1/etc/hostname"), "utf8"), "web\n");
    if (args[1] === log) child.send("heard");
    child.kill("SIGTERM");
    const code = await new Promise((resolve) => child.on("exit", resolve));
    t.equal(code, 0);
  }
  closeSync(full);
});

t.test("opening, mounting and reading change neither a byte nor a time of any image", async (t) => {
  const folder = place(t);
  // Copies of its own: other tests read the images at the same time, some as users who leave a trace.
  const machine = join(t.testdir({}), "web");
  cpSync(dirname(BASE), machine, { recursive: true });
  const newest = join(machine, "Snapshots", basename(NEWEST));
  const images = [join(machine, basename(BASE)), newest];
  const bytes = await output("sha256sum", ...images);
  // Older than the last change: a host that notes no more than it must would note this look.
  for (const image of images) utimesSync(image, new Date(2020, 1), statSync(image).mtime);
  const before = images.map(timesOf);
  t.equal((await vdisk("mount", newest, folder)).code, 0);
  await output("sh", "-c", `cat "${folder}/vhdd" >/dev/null; tar cf - -C "${folder}/fs1" . >/dev/null`);
  t.not((await run("touch", [join(folder, "fs1/etc/hostname")])).code, 0);
  t.not((await run("sh", ["-c", `echo x >"${folder}/vhdd"`])).code, 0);
  t.equal((await vdisk("unmount", folder)).code, 0);
  t.equal((await vdisk("info", newest)).code, 0);
  t.same(images.map(timesOf), before);
  t.equal(await output("sha256sum", ...images), bytes);
});

t.test("a mount point that is in use or not empty is refused", async (t) => {
  const folder = place(t);
  t.equal((await vdisk("mount", NEWEST, folder)).code, 0);
  t.match(await vdisk("mount", NEWEST, folder), {
    code: 77,
    stderr: /in use: .*web.* is mounted on it; vdisk unmount/,
  });
  t.equal((await vdisk("unmount", folder)).code, 0);
  t.match(await vdisk("unmount", folder), { code: 66, stderr: /no vdisk is mounted here/ });
});

t.test("the process that was started for a mount ends without traces if there is no mount", async (t) => {
  const [folder, state] = [place(t), t.testdir()];
  const refused: [string[], number][] = [
    [["mount", NEWEST, folder, "--nonsense"], 64],
    [["mount", NEWEST], 64],
    [["mount", `${NEWEST}.none`, folder], 66],
    [["mount", NEWEST, join(folder, "none")], 66],
    [["mount", "-o", "context=nonsense", NEWEST, folder], 74],
    [["mount", "-fo", "context=nonsense", NEWEST, folder], 74],
  ];
  for (const [words, code] of refused) {
    const result = await run(process.execPath, [VDISK, ...words], { XDG_STATE_HOME: state });
    t.equal(result.code, code, `${words.join(" ")}: ${result.stderr}`);
    for (let waited = 0; waited < 5000 && daemonsOf(NEWEST).length > 0; waited += 50) await sleep(50);
    t.same(daemonsOf(NEWEST), []);
    t.same(
      readdirSync(join(state, "vdisk")).filter((name) => name.startsWith("starting")),
      [],
    );
  }
});

t.test("if the mount's process is killed before it has mounted, the error names its log", async (t) => {
  const [folder, state] = [place(t), t.testdir()];
  const mounting = run(process.execPath, [VDISK, "mount", NEWEST, folder], { XDG_STATE_HOME: state });
  let daemons: string[] = [];
  for (; daemons.length === 0; daemons = daemonsOf(folder)) await sleep(1);
  process.kill(Number(daemons[0]), "SIGKILL");
  const log = `${state}/vdisk/starting-\\d+-\\d+\\.log`;
  t.match(await mounting, {
    code: 74,
    stderr: new RegExp(`the mount's process ended unexpectedly: .*see ${log}\n$`),
  });
  t.notMatch(readFileSync("/proc/self/mounts", "utf8"), folder);

  const [old, recent] = [25, 1].map((hours) => `starting-1-${Date.now() - hours * 3600 * 1000}.log`);
  for (const name of [old!, recent!]) writeFileSync(join(state, "vdisk", name), "why");
  await run(process.execPath, [VDISK, "mount", `${NEWEST}.none`, folder], { XDG_STATE_HOME: state });
  t.same(readdirSync(join(state, "vdisk")), [recent], "what is old or empty is removed, what is not stays");
});

t.test("interrupting vdisk mount before it has mounted leaves nothing mounted", async (t) => {
  const { spawn } = await import("node:child_process");
  const state = t.testdir({ vdisk: {} });
  for (const delay of [60, 100, 150, 250, 350]) {
    const folder = place(t);
    // Started by env, without the loader of these tests.
    const setting = ["NODE_OPTIONS=", `XDG_STATE_HOME=${state}`];
    const child = spawn("/usr/bin/env", [...setting, process.execPath, VDISK, "mount", NEWEST, folder], {
      stdio: "ignore",
    });
    const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
    await sleep(delay);
    child.kill("SIGINT");
    const code = await ended;
    if (code === 0) break; // it was faster
    for (let waited = 0; waited < 5000 && daemonsOf(folder).length > 0; waited += 50) await sleep(50);
    t.same(daemonsOf(folder), [], `${delay} ms`);
    t.notMatch(readFileSync("/proc/self/mounts", "utf8"), folder);
  }
  // Who was killed before the process began has left a log, which the next one removes.
  await run(process.execPath, [VDISK, "mount", `${NEWEST}.none`, place(t)], { XDG_STATE_HOME: state });
  t.same(
    readdirSync(join(state, "vdisk")).filter((name) => name.startsWith("starting")),
    [],
  );
});

for (const backend of backends) {
  t.test(`${backend}: a mount that is refused late leaves neither a mount nor a process`, async (t) => {
    const folder = place(t);
    const refused = await vdisk("mount", "--fuse-backend", backend, "-o", "context=nonsense", NEWEST, folder);
    t.equal(refused.code, 74, refused.stderr);
    t.notMatch(readFileSync("/proc/self/mounts", "utf8"), folder);
    t.same(daemonsOf(folder), []);
  });
}

t.test("the log is found wherever the home is, and a mount goes on without it", async (t) => {
  const [folder, home] = [place(t), place(t)];
  const mount = (environment: Record<string, string>): Promise<Result> =>
    run(process.execPath, [VDISK, "mount", NEWEST, folder], {
      XDG_STATE_HOME: "",
      XDG_RUNTIME_DIR: "",
      ...environment,
    });
  const cases: [RegExp, Record<string, string>][] = [
    [new RegExp(`^${home}/\\.local/state/vdisk/`), { HOME: home }],
    [new RegExp(`^${home}/\\.local/state/vdisk/`), { HOME: home, XDG_STATE_HOME: "relative" }],
    [new RegExp(`^${tmpdir()}/vdisk-0/`), { HOME: "" }],
    [new RegExp(`^${home}/vdisk/`), { HOME: "", XDG_RUNTIME_DIR: home }],
    [new RegExp(`^${tmpdir()}/vdisk-0/`), { XDG_STATE_HOME: "/dev/null" }],
  ];
  for (const [expected, environment] of cases) {
    const mounted = await mount(environment);
    t.equal(mounted.code, 0, mounted.stderr);
    t.match(logOf(mounted), expected);
    t.equal((await run(process.execPath, [VDISK, "unmount", folder], environment)).code, 0);
  }
  t.match(await mount({ XDG_STATE_HOME: "/dev/null", TMPDIR: "/dev/null" }), {
    code: 66,
    stderr: /^vdisk: .*\n$/,
  });

  await output("mount", "-t", "tmpfs", "-o", "size=16k", "none", home);
  await output("mkdir", join(home, "vdisk"));
  await run("sh", ["-c", 'cat /dev/zero >"$1/fill"', "sh", home]);
  const full = await mount({ XDG_STATE_HOME: home });
  t.equal(full.code, 0, full.stderr);
  t.equal(await output("cat", join(folder, "fs1/etc/hostname")), "web\n");
  t.equal((await vdisk("unmount", folder)).code, 0);

  // Without a record, unmount does not know whom to wait for: the daemon may still have its log open.
  const remount = (): Promise<Result> => run("mount", ["-o", "remount,ro", home]);
  let remounted = await remount();
  for (let waited = 0; waited < 5000 && remounted.code !== 0; waited += 50) {
    await sleep(50);
    remounted = await remount();
  }
  t.equal(remounted.code, 0, remounted.stderr);
  t.match(logOf(await mount({ XDG_STATE_HOME: home })), new RegExp(`^${tmpdir()}/vdisk-0/`));
  t.equal((await vdisk("unmount", folder)).code, 0);
});

t.test("root can mount on read-only directories, also in another mount", async (t) => {
  const folder = place(t);
  t.equal((await vdisk("mount", NEWEST, folder)).code, 0);
  const inside = join(folder, "fs1/boot");
  t.equal((await vdisk("mount", BASE, inside)).code, 0);
  t.equal(await output("cat", join(inside, "fs1/etc/hostname")), "web\n");
  t.match(await vdisk("unmount", folder), { code: 77, stderr: /in use/ });
  t.equal((await vdisk("unmount", inside)).code, 0);
  t.equal((await vdisk("unmount", folder)).code, 0);
});

t.test("only the ordinary user who mounted sees the mount", async (t) => {
  const folder = place(t);
  const home = place(t);
  await output("chown", "nobody", folder, home);
  const asNobody = (...args: string[]): Promise<Result> =>
    run("setpriv", ["--reuid=nobody", "--regid=nogroup", "--clear-groups", ...args], { HOME: home });
  const mounted = await asNobody(process.execPath, VDISK, "mount", NEWEST, folder);
  t.equal(mounted.code, 0, mounted.stderr);
  t.match(
    (await asNobody("cat", join(folder, "fs1/etc/shadow"))).stdout,
    /root:\*:/,
    "whatever the guest's modes say",
  );
  t.not((await run("ls", [folder])).code, 0, "root does not see it");
  t.match(logOf(mounted), new RegExp(`^${home}/`));
  t.equal((await asNobody(process.execPath, VDISK, "unmount", folder)).code, 0);
  t.equal((await vdisk("mount", NEWEST, folder)).code, 0);
  t.match(await asNobody(process.execPath, VDISK, "unmount", folder), {
    code: 77,
    stderr: /not yours to unmount/,
  });
  t.equal((await vdisk("unmount", folder)).code, 0);
  for (const backend of backends) {
    t.match(
      await asNobody(
        process.execPath,
        VDISK,
        "mount",
        "--allow-other",
        "--fuse-backend",
        backend,
        NEWEST,
        folder,
      ),
      { code: 77, stderr: /user_allow_other in \/etc\/fuse\.conf/ },
    );
  }
  const refused = await asNobody(process.execPath, VDISK, "mount", NEWEST, join(ROOT, "docs"));
  t.match(refused, { code: 77, stderr: /^vdisk: .*docs/ });
});

t.test("if an ordinary user cannot mount, the error says why and what to do", async (t) => {
  const folder = place(t);
  const home = place(t);
  await output("chown", "nobody", folder, home);
  const env = { HOME: home, PATH: "/nowhere" };
  const user = ["--reuid=nobody", "--regid=nogroup", "--clear-groups", process.execPath, VDISK];
  const missing = await run("/usr/bin/setpriv", [...user, "mount", NEWEST, folder], env);
  t.match(missing, { code: 69, stderr: /fusermount3.*apt-get install fuse3/ });
  t.equal(missing.stderr.trimEnd().split("\n").length, 1, missing.stderr);
});

t.test("without FUSE, mounting fails with the reason and everything else works", async (t) => {
  const folder = place(t);
  const withoutFuse = (...args: string[]): Promise<Result> =>
    run("unshare", [
      "--mount",
      "sh",
      "-c",
      'mkdir -p /run/vdisk-dev && mount --rbind /dev /run/vdisk-dev && mount -t tmpfs none /dev && for d in null urandom; do touch /dev/$d; mount --bind /run/vdisk-dev/$d /dev/$d; done; exec "$@"',
      "sh",
      process.execPath,
      VDISK,
      ...args,
    ]);
  const result = await withoutFuse("mount", NEWEST, folder);
  t.match(result, { code: 69, stderr: /\/dev\/fuse does not exist; load it with modprobe fuse/ });
  t.equal(result.stderr.trimEnd().split("\n").length, 1);
  t.match(await withoutFuse("cat", NEWEST, "/etc/hostname"), { code: 0, stdout: "web\n" });
});

t.test(
  "--allow-other lets other users in, and -o default_permissions applies the guest's modes",
  async (t) => {
    const asNobody = (...args: string[]): Promise<Result> =>
      run("setpriv", ["--reuid=nobody", "--regid=nogroup", "--clear-groups", ...args]);
    const folder = place(t);
    t.equal((await vdisk("mount", NEWEST, folder)).code, 0);
    t.not((await asNobody("ls", folder)).code, 0, "without it nobody else comes in");
    await vdisk("unmount", folder);
    t.equal((await vdisk("mount", "--allow-other", NEWEST, folder)).code, 0);
    t.equal((await asNobody("cat", join(folder, "fs1/etc/shadow"))).code, 0);
    await vdisk("unmount", folder);
    t.equal((await vdisk("mount", "--allow-other", "-o", "default_permissions", NEWEST, folder)).code, 0);
    t.equal((await asNobody("cat", join(folder, "fs1/etc/hostname"))).code, 0);
    t.not((await asNobody("cat", join(folder, "fs1/etc/shadow"))).code, 0);
    await vdisk("unmount", folder);
  },
);

/** The processes that serve `folder`, or are about to. */
function daemonsOf(folder: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return command.includes("daemon.js") && command.includes(folder);
    } catch {
      return false;
    }
  });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A process that has ended but was not waited for is no longer running.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Times, to the nanosecond, and the size of a file. */
function timesOf(file: string): string[] {
  const { atimeNs, mtimeNs, ctimeNs, size } = statSync(file, { bigint: true });
  return [atimeNs, mtimeNs, ctimeNs, size].map(String);
}

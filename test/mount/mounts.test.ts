/** What `vdisk list --mounts` tells, against what really is mounted. */
import { spawn } from "node:child_process";
import { copyFileSync, openSync, closeSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import type { Mount } from "../../src/mount/mounts.js";
import { parseMountInfo } from "../../src/mount/mount-table.js";
import { BASE, run, VDISK, type Result } from "../support/command.js";
import { place } from "../support/place.js";

const MOUNTS = new URL("../../dist/cli/mounts.js", import.meta.url).href;

/** Mounts of others, and of other tests, are left out; each test keeps its records in a folder of its own. */
function host(t: Test) {
  const home = t.testdir();
  const environment = { XDG_STATE_HOME: home };
  const show = (json: boolean): Promise<Result> =>
    run(
      process.execPath,
      ["--input-type=module", "-e", `await (await import("${MOUNTS}")).showMounts(${json})`],
      environment,
    );
  return {
    home,
    vdisk: (...args: string[]): Promise<Result> => run(process.execPath, [VDISK, ...args], environment),
    text: async (): Promise<string> => (await show(false)).stdout,
    mounts: async (...folders: string[]): Promise<Mount[]> =>
      (JSON.parse((await show(true)).stdout) as Mount[]).filter(({ mountPoint }) =>
        folders.includes(mountPoint),
      ),
  };
}

t.test(
  "a mount is listed with its process, backend, time, user and log, and not after unmounting",
  async (t) => {
    const { vdisk, mounts, text } = host(t);
    const image = join(t.testdir({}), "a b.vdi");
    copyFileSync(BASE, image);
    for (const backend of ["native", "fuse-native"]) {
      const folder = place(t);
      const before = Date.now();
      const mounted = await vdisk("mount", "--fuse-backend", backend, image, folder);
      t.equal(mounted.code, 0, mounted.stderr);
      const [mount] = await mounts(folder);
      t.match(mount, { mountPoint: folder, image, state: "served", backend, uid: process.getuid!() });
      t.match(readFileSync(`/proc/${mount!.pid}/cmdline`, "latin1"), folder);
      t.match(mounted.stdout, mount!.log!);
      t.ok(Date.parse(mount!.since!) >= before - 1 && Date.parse(mount!.since!) <= Date.now());
      t.match(await text(), new RegExp(`^${folder} +${image} +served by ${backend} .* ${mount!.pid} `, "m"));
      t.equal((await vdisk("unmount", folder)).code, 0);
      t.same(await mounts(folder), []);
    }
  },
);

t.test("a mount of another PID namespace is served as long as it replies, and dead afterwards", async (t) => {
  const { home, vdisk, mounts } = host(t);
  const [outer, inner] = [place(t), place(t)];
  t.equal((await vdisk("mount", BASE, outer)).code, 0);
  // All processes of a PID namespace end with its first.
  const script = `${process.execPath} ${VDISK} mount ${BASE} ${inner} && exec sleep 600`;
  const container = spawn("unshare", ["-pf", "--kill-child", "sh", "-c", script], {
    env: { ...process.env, XDG_STATE_HOME: home, NODE_OPTIONS: "" },
    stdio: "ignore",
  });
  t.teardown(() => container.kill("SIGKILL"));
  for (let waited = 0; waited < 20_000 && (await mounts(inner)).length === 0; waited += 100) await sleep(100);
  const list = `import { listMounts } from "${new URL("../../dist/mount/mounts.js", import.meta.url).href}";
    console.log(JSON.stringify(await listMounts()))`;
  const inside = async (): Promise<[string, string][]> => {
    const node = [process.execPath, "--input-type=module", "-e", list];
    const { stdout } = await run("unshare", ["-pf", "--mount-proc", ...node], { XDG_STATE_HOME: home });
    return (JSON.parse(stdout) as Mount[])
      .filter(({ mountPoint }) => [inner, outer].includes(mountPoint))
      .map(({ mountPoint, state }) => [mountPoint, state]);
  };
  const sorted = (...states: [string, string][]): [string, string][] =>
    states.sort(([a], [b]) => (a < b ? -1 : 1));
  t.same(
    (await mounts(inner, outer)).map(({ state }) => state),
    ["served", "served"],
  );
  t.same(await inside(), sorted([outer, "served"], [inner, "served"]));
  container.kill("SIGKILL");
  process.kill((await mounts(outer))[0]!.pid!, "SIGKILL");
  await sleep(500);
  t.same(
    (await mounts(inner, outer)).map(({ state }) => state),
    ["dead", "dead"],
  );
  t.same(await inside(), sorted([outer, "dead"], [inner, "dead"]));
  for (const folder of [outer, inner]) t.equal((await vdisk("unmount", folder)).code, 0);
});

t.test(
  "a mount is dead if its process was killed, and detached if it was unmounted with files open",
  async (t) => {
    const { vdisk, mounts, text } = host(t);
    const [killed, detached] = [place(t), place(t)];
    for (const folder of [killed, detached]) t.equal((await vdisk("mount", BASE, folder)).code, 0);
    const [{ pid }] = (await mounts(killed)) as [Mount];
    process.kill(pid!, "SIGKILL");
    await sleep(200);
    t.match(await mounts(killed), [{ state: "dead", image: BASE, pid }]);
    t.match(await text(), new RegExp(`^${killed} .*dead: its process has ended; unmount it`, "m"));
    const file = openSync(join(detached, "vhdd"), "r");
    t.equal((await vdisk("unmount", "-z", detached)).code, 0);
    t.match(await mounts(detached), [{ state: "detached", image: BASE }]);
    closeSync(file);
    t.equal((await vdisk("unmount", killed)).code, 0);
    for (let waited = 0; waited < 100 && (await mounts(detached)).length > 0; waited++) await sleep(50);
    t.same(await mounts(killed, detached), []);
  },
);

t.test("of another user's mount, only what the mount table contains is listed", async (t) => {
  const [mine, folder] = [host(t), place(t)];
  t.equal((await mine.vdisk("mount", BASE, folder)).code, 0);
  const other = host(t);
  t.same(await other.mounts(folder), [
    { mountPoint: folder, image: BASE, state: "unknown", uid: process.getuid!() },
  ]);
  t.equal((await mine.vdisk("unmount", folder)).code, 0);
});

t.test("an old or damaged record, or one with the number of another process, is not a mount", async (t) => {
  const { home, vdisk, mounts, text } = host(t);
  const folder = place(t);
  t.equal((await vdisk("mount", BASE, folder)).code, 0);
  t.equal((await vdisk("unmount", folder)).code, 0);
  const record = { image: BASE, mountPoint: folder, backend: "native", log: "/x" };
  const write = (name: string, text: string): void => {
    writeFileSync(join(home, "vdisk", `${name}.json`), text);
  };
  write("ended", JSON.stringify({ ...record, pid: 2 ** 22 + 1 }));
  write("reused", JSON.stringify({ ...record, pid: process.pid, since: "2020-01-01T00:00:00.000Z" }));
  for (const [index, text] of ["", "{", "null", "[]", '{"pid":"x","mountPoint":5}'].entries())
    write(`bad-${index}`, text);
  t.same(await mounts(folder), []);
  t.notMatch(await text(), folder);
});

t.test("the user who mounted is read from the mount table's options", async (t) => {
  const line =
    "41 31 0:38 / /mnt/a\\040b ro,nosuid shared:7 - fuse.vdisk /vm/x.vdi ro,user_id=1000,group_id=7";
  t.same(parseMountInfo(line), [
    { mountPoint: "/mnt/a b", type: "fuse.vdisk", source: "/vm/x.vdi", uid: 1000 },
  ]);
});

/** 250 states of one disk side by side in one mount, through the kernel, by both backends. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import type * as start from "../../src/mount/start.js";
import { random } from "../image/random.js";
import { attempt, output, run, vdisk } from "../support/command.js";
import { place } from "../support/place.js";
import { writeStates, type ModelState } from "../tree/states.js";

// The built one: it starts a process of its own.
const { startMount } = (await import(
  new URL("../../dist/mount/start.js", import.meta.url).href
)) as typeof start;

const states = await writeStates(t.testdir(), random(250), 250);

async function mount(t: Test, backend: "native" | "fuse-native"): Promise<{ folder: string; pid: number }> {
  const folder = place(t);
  const { pid } = await startMount(folder, async () => ({
    ...{ image: states.at(-1)!.image, states, backend, allowDirs: [], fileSystems: {} },
    ...{ allowOther: false, allowRoot: false, options: [], logLevel: "info" },
  }));
  return { folder, pid };
}

/** How many descriptors of images the process has. */
async function imagesOpen(pid: number): Promise<number> {
  return await output("sh", "-c", `ls -l /proc/${pid}/fd | grep -c '\\.vdi$'; true`).then(Number);
}

/** MiB that the process has in memory. */
const memory = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;

/** The kernel's own mount of a raw disk. */
async function judge(t: Test, { model }: ModelState): Promise<string> {
  const folder = place(t);
  await output("mount", "-o", "ro,loop", model, folder);
  t.teardown(() => {
    attempt("umount", folder);
  });
  return folder;
}

for (const backend of ["native", "fuse-native"] as const) {
  t.test(`${backend}: 250 states are their models, each image open once, memory within bounds`, async (t) => {
    const { folder, pid } = await mount(t, backend);
    const atFirst = await imagesOpen(pid);
    t.equal((await output("ls", "-l", join(folder, "snapshots"))).trimEnd().split("\n").length, 251);
    await sleep(300);
    t.equal(await imagesOpen(pid), atFirst, "to list them opens none, nor does it later");

    const before = memory(pid);
    await output("find", join(folder, "snapshots"));
    t.equal(await imagesOpen(pid), 250);
    for (const { name, model, text } of random(1).shuffle(states)) {
      const state = join(folder, "snapshots", name);
      if (!readFileSync(join(state, "vhdd")).equals(readFileSync(model))) t.fail(`${name}: vhdd`);
      if (readFileSync(join(state, "fs0/etc/deep/state"), "utf8") !== text) t.fail(`${name}: its file`);
    }
    t.equal(await imagesOpen(pid), 250);
    t.ok(memory(pid) - before < 250, `${before} MiB, then ${memory(pid)}`);
    const times = await output("stat", "-c", "%Y", join(folder, "snapshots/Snapshot 7"));
    t.equal(Number(times), states[7]!.taken!.seconds);
    t.equal((await vdisk("unmount", folder)).code, 0);
  });

  t.test(
    `${backend}: diff finds between two states what it finds between the kernel's mounts of them`,
    async (t) => {
      const { folder } = await mount(t, backend);
      const diff = async (one: string, other: string): Promise<string[]> => {
        const { code, stdout } = await run("diff", ["-r", "--brief", one, other]);
        t.equal(code, 1);
        return stdout.trimEnd().replaceAll(one, "ONE").replaceAll(other, "OTHER").split("\n").sort();
      };
      const [one, other] = [states[100]!, states[104]!];
      const expected = await diff(await judge(t, one), await judge(t, other));
      const shown = (state: ModelState): string => join(folder, "snapshots", state.name, "fs0");
      t.same(await diff(shown(one), shown(other)), expected);
      t.ok(expected.includes("Files ONE/etc/deep/state and OTHER/etc/deep/state differ"));
      const current = await diff(shown(one), join(folder, "fs0"));
      t.same(current, await diff(shown(one), shown(states.at(-1)!)), "also against what is mounted");
      t.equal((await run("diff", ["-r", "--brief", join(folder, "fs0"), shown(states.at(-1)!)])).code, 0);
      t.equal((await vdisk("unmount", folder)).code, 0);
    },
  );
}

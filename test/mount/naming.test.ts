/**
 * A branching tree of 30 snapshots over two disks: every state of both, through the kernel, by every name that it has (namesOf).
 * What is mounted is compared with the bytes that the machine's life left, which nothing of ours has read.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import t, { type Test } from "tap";
import { choose, type Wanted } from "../../src/machine/choose.js";
import { mapParallel } from "../../src/machine/parallel.js";
import type * as serve from "../../src/mount/serve.js";
import { home, namesOf } from "../machine/virtualbox/home.js";
import { output, run, vdisk } from "../support/command.js";
import { beforeDeadline } from "../support/deadline.js";
import { place } from "../support/place.js";

// The built one, in this process: a process for each of hundreds of mounts would take minutes.
const { serveMount } = (await import(
  new URL("../../dist/mount/serve.js", import.meta.url).href
)) as typeof serve;

/** Mounts at the same time: fuse-native takes a fifth of a second to let go of one. */
const AT_ONCE = 4;

const BACKENDS = ["native", "fuse-native"] as const;
type Backend = (typeof BACKENDS)[number];

/** Lends `use` a mount of what `wanted` means. Only other processes may look at it: this one serves it. */
async function withMount(folder: string, backend: Backend, wanted: Wanted, use: () => Promise<void>) {
  const { image, states } = await choose(wanted);
  let ready!: () => void;
  const isReady = new Promise<void>((resolve) => (ready = resolve));
  const served = serveMount(
    {
      ...{
        image,
        ...(states !== undefined && { states }),
        mountPoint: folder,
        backend,
        allowDirs: [],
        fileSystems: {},
      },
      ...{ allowOther: false, allowRoot: false, options: [], logLevel: "silent" },
    },
    pino({ level: "silent" }),
    ready,
  );
  const which = `${backend}, ${wanted.image}, ${wanted.snapshot ?? "all states"}, ${folder}`;
  await beforeDeadline(`${which}: to mount`, Promise.race([isReady, served]));
  try {
    await beforeDeadline(`${which}: to read`, use());
  } finally {
    await beforeDeadline(`${which}: to unmount`, output("umount", folder));
    await beforeDeadline(`${which}: to end after the unmount`, served);
  }
}

/** The machine, with its models as files. */
async function machine(t: Test) {
  const lived = await home(t, { name: "Windows 10", snapshots: 30, disks: 2 });
  const modelOf = (index: number, disk: number) => join(process.env["HOME"]!, `${index}-${disk}.model`);
  for (const [index, { disks }] of lived.states.entries()) {
    for (const [disk, { model }] of disks.entries()) await writeFile(modelOf(index, disk), model);
  }
  return { ...lived, modelOf };
}

for (const backend of BACKENDS) {
  t.test(`${backend}: each state of each disk is its model, in one mount side by side`, async (t) => {
    const { states, modelOf } = await machine(t);
    const folder = place(t);
    for (const disk of [0, 1]) {
      await withMount(folder, backend, { image: "Windows 10", disk: String(disk) }, async () => {
        for (const [index, { name }] of states.entries()) {
          const shown = join(folder, "snapshots", name, "vhdd");
          t.match(await run("cmp", [modelOf(index, disk), shown]), { code: 0, stdout: "", stderr: "" });
        }
        t.equal((await output("ls", join(folder, "snapshots"))).trimEnd().split("\n").length, 31);
      });
    }
  });

  t.test(`${backend}: each way of naming a state is one of the command's`, async (t) => {
    const { states, modelOf } = await machine(t);
    const folder = place(t);
    const ways: readonly [snapshot: string, index: number][] = [
      ["current", 30],
      ["latest", 29],
      ["base", 0],
      ["state 7", 7],
      [states[12]!.uuid!, 12],
      [states[20]!.disks[1]!.imageUuid, 20],
      [`@${states[25]!.taken!}`, 25],
      ["latest~2", states.indexOf(states[29]!.parent!.parent!)],
    ];
    for (const [snapshot, index] of ways) {
      const wanted = ["Windows 10", "--disk", "1", "--snapshot", snapshot];
      const mounted = await vdisk("mount", "--fuse-backend", backend, ...wanted, folder);
      t.equal(mounted.code, 0, mounted.stderr);
      t.match(await run("cmp", [modelOf(index, 1), join(folder, "vhdd")]), { code: 0 }, snapshot);
      t.equal((await vdisk("unmount", folder)).code, 0);
    }
  });
}

t.test("each state of each disk is its model, mounted by each of its names", async (t) => {
  const { states, modelOf, plan, file, folder } = await machine(t);
  const images = ["Windows 10", "windows 10", plan.uuid, file, folder];
  // Every name of every state, on the disks and through the backends by turns: the way to each is the same.
  const mounts = states.flatMap((_, index) =>
    [0, 1].flatMap((disk) =>
      [...namesOf(states, index, disk)]
        .filter((_, way) => (index + way) % 2 === disk)
        .map((snapshot) => ({ index, disk, snapshot })),
    ),
  );
  const free = Array.from({ length: AT_ONCE }, () => place(t));
  await mapParallel([...mounts.entries()], AT_ONCE, async ([count, { index, disk, snapshot }]) => {
    const folder = free.pop()!;
    const image = images[count % images.length]!;
    const backend = BACKENDS[count % BACKENDS.length]!;
    await withMount(folder, backend, { image, disk: `SATA ${disk}:0`, snapshot }, async () => {
      const { code, stdout } = await run("cmp", [modelOf(index, disk), join(folder, "vhdd")]);
      if (code !== 0) t.fail(`${image}, disk ${disk}, ${snapshot}: ${stdout}`);
    });
    free.push(folder);
  });
  t.ok(mounts.length > 250, `${mounts.length} mounts`);
});

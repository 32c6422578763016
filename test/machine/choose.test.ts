import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import t from "tap";
import { UsageError } from "../../src/errors.js";
import { choose, type Wanted } from "../../src/machine/choose.js";
import { findMachine } from "../../src/machine/machines.js";
import { openDisk } from "../../src/tree/disk.js";
import { readAll } from "../image/image.js";
import { random } from "../image/random.js";
import { writeVdi } from "../image/vdi/builder.js";
import { writeVdiChain } from "../image/vdi/generator.js";
import { machineXml } from "./virtualbox/builder.js";
import { home, namesOf } from "./virtualbox/home.js";
import { listEntries } from "../../src/filesystem/entries.js";

const messageOf = (wanted: Wanted): Promise<string> =>
  choose(wanted).then(
    ({ image }) => `it chose ${image}`,
    (error: unknown) => (error as Error).message,
  );

t.test(
  "every state of a branching tree is found by each of its names, and is the same as its model",
  async (t) => {
    const { states, file, plan, folder } = await home(t, { name: "Windows 10", snapshots: 30, disks: 2 });
    const snapshots = states.slice(0, -1);
    t.ok(snapshots.filter(({ parent }) => parent === snapshots[0]).length > 0);
    t.ok(new Set(snapshots.map(({ parent }) => parent)).size < snapshots.length - 3, "it branches");
    let count = 0;
    for (const [index, state] of states.entries()) {
      for (const [disk, { path, imageUuid, model }] of state.disks.entries()) {
        const places = ["Windows 10", "windows 10", plan.uuid, file, folder];
        for (const snapshot of namesOf(states, index, disk)) {
          const image = places[count++ % places.length]!;
          const slot = [`SATA ${disk}:0`, `sata:${disk}:0`, String(disk), `Windows 10-${disk}.vdi`][
            count % 4
          ]!;
          const chosen = await choose({ image, disk: slot, snapshot });
          if (chosen.image !== path) t.equal(chosen.image, path, `${image} ${slot} ${snapshot}`);
          t.equal(chosen.states?.length, states.length);
        }
        const [byPath, byUuid] = await Promise.all([choose({ image: path }), choose({ image: imageUuid })]);
        t.equal(byPath.image, path);
        t.equal(byUuid.image, path);
        t.equal(byUuid.state?.uuid, state.uuid);
        t.ok((await readAll(byUuid.image)).equals(model), `${state.name} of disk ${disk}`);
      }
    }
    t.ok(count > 500, `${count} names`);
    const leaf = states.at(-1)!.disks[1]!;
    t.equal((await choose({ image: leaf.path, snapshot: "base" })).image, states[0]!.disks[1]!.path);
    t.equal((await choose({ image: "Windows 10", disk: "1" })).image, leaf.path);
  },
);

t.test(
  "a date is the beginning of that day in local time; before the first state there is nothing",
  async (t) => {
    const { states } = await home(t, { name: "m", snapshots: 3 });
    const at = async (snapshot: string) => (await choose({ image: "m", snapshot })).state?.name;
    t.equal(await at("@2026-01-03"), "state 1");
    t.equal(await at("@2026-01-02T12:00:00Z"), "state 1");
    t.equal(await at("@2026-01-02T11:59:59Z"), "state 0");
    t.equal(await at("@2999-01-01"), "current");
    t.match((await choose({ image: "m", snapshot: "@2026-01-03" })).notices, [
      /last state at or before .* "state 1"/,
    ]);
    t.match(
      await messageOf({ image: "m", snapshot: "@2025-12-31" }),
      /no state .* taken at or before .*the states are: "state 0"/,
    );
    for (const none of ["2026-02-30", "2026-13-01", "2026-01-01T25:00", "2026-01-01T12:00+99:00"]) {
      t.match(await messageOf({ image: "m", snapshot: `@${none}` }), /is not a valid time/);
    }
    const error = await choose({ image: "m", snapshot: "@yesterday" }).catch((error: unknown) => error);
    t.ok(error instanceof UsageError);
    t.match(
      await messageOf({ image: "m", snapshot: "current~9" }),
      /only \d states above it in the tree, not 9/,
    );
    const unknown = await messageOf({ image: "m", snapshot: "before" });
    for (const { name, uuid = "" } of states) t.ok(unknown.includes(name) && unknown.includes(uuid));
  },
);

t.test("an ambiguous name is an error that lists the candidates", async (t) => {
  const { plan, file, folder } = await home(t, { name: "m", snapshots: 2, disks: 2 });
  t.match(
    await messageOf({ image: "m" }),
    /several hard disks: 0 \(SATA 0:0: m-0\.vdi\), 1 \(SATA 1:0: m-1\.vdi\).*--disk/,
  );
  t.match(await messageOf({ image: "m", disk: "SATA 7:0" }), /no disk "SATA 7:0"; its disks are: 0 /);
  const twins = (await readFile(file, "utf8")).replace('name="state 1"', 'name="state 0"');
  await writeFile(file, twins);
  const [first, second] = [plan.snapshot!, plan.snapshot!.children![0]!];
  const message = await messageOf({ image: "m", disk: "0", snapshot: "state 0" });
  t.match(message, /; use the UUID of one of them$/);
  for (const part of [first.uuid, second.uuid, first.taken!, second.taken!])
    t.ok(message.includes(part), part);
  const copy = join(dirname(folder), "copy");
  await mkdir(copy);
  await copyFile(file, join(copy, "m.vbox"));
  await t.rejects(findMachine("m"), { message: new RegExp(`${plan.uuid}.* ${file}.*${copy}/m\\.vbox`) });
  t.equal((await findMachine(join(copy, "m.vbox"))).path, join(copy, "m.vbox"));
});

t.test("if a UUID occurs twice in settings, the first one counts, and there is no circle", async (t) => {
  const { plan, file, states } = await home(t, { name: "m", snapshots: 2 });
  const [first, second] = [plan.snapshot!, plan.snapshot!.children![0]!];
  const empty = { ...first, attached: [], children: [] };
  const snapshot = { ...empty, children: [{ ...second, attached: [], children: [empty] }] };
  await writeFile(file, machineXml({ ...plan, snapshot }));
  t.match(
    await messageOf({ image: "m", snapshot: "current~1" }),
    /"current" has no state above it in the tree; this disk/,
  );
  const [disk] = plan.disks!;
  const twice = {
    ...disk!,
    children: [...disk!.children!, { ...disk!, location: "lost.vdi", children: [] }],
  };
  await writeFile(file, machineXml({ ...plan, disks: [twice] }));
  t.equal((await choose({ image: "m", snapshot: "base" })).image, states[0]!.disks[0]!.path);
});

t.test("the error for a snapshot of a disk without snapshots says so", async (t) => {
  await home(t, { name: "m", snapshots: 0 });
  for (const snapshot of ["latest", "latest~1", "current~1", "@2026-01-01", "before"]) {
    const message = await messageOf({ image: "m", snapshot });
    t.match(message, /this disk has no snapshots, and only its current state$/);
    t.notMatch(message, /its states are/);
  }
});

t.test("the error for a missing machine says if VirtualBox's global settings cannot be read", async (t) => {
  await home(t, { name: "m", snapshots: 0 });
  const global = join(process.env["HOME"]!, ".config/VirtualBox/VirtualBox.xml");
  await writeFile(global, "<VirtualBox");
  const expected = /VirtualBox\.xml: this is not complete and valid XML .*; only machines in .* are found$/;
  t.match(await messageOf({ image: "n" }), expected);
  await t.rejects(findMachine("n"), { message: expected });
  t.equal((await findMachine("m")).name, "m");
});

t.test("an old image is opened, with a notice that newer states exist", async (t) => {
  const { states, file } = await home(t, { name: "my vm", snapshots: 2 });
  const { image, notices } = await choose({ image: states[0]!.disks[0]!.path });
  t.equal(image, states[0]!.disks[0]!.path);
  t.match(notices, [/--snapshot current .*vdisk list --vm '.*my vm\.vbox'$/]);
  t.ok(notices[0]!.endsWith(`'${file}'`));
  t.same((await choose({ image: states.at(-1)!.disks[0]!.path })).notices, []);
});

t.test("an image without a machine has the states of its chain", async (t) => {
  process.env["HOME"] = t.testdir({ chain: {} });
  const states = await writeVdiChain(join(process.env["HOME"], "chain"), random(3), {
    depth: 4,
    size: 2 ** 18,
  });
  const top = states[3]!.path;
  const chosen = async (snapshot: string) => (await choose({ image: top, snapshot })).image;
  t.equal(await chosen("latest"), states[2]!.path);
  t.equal(await chosen("latest~1"), states[1]!.path);
  t.equal(await chosen("level-1.vdi"), states[1]!.path);
  t.equal(await chosen(states[0]!.uuid), states[0]!.path);
  t.equal(await chosen("base"), states[0]!.path);
  t.equal((await choose({ image: top, snapshot: "base" })).states?.length, 4);
  t.equal((await choose({ image: top })).states, undefined, "whoever opens the chain has them");
  const disk = await openDisk(top);
  const snapshots = (await disk.tree.lookup(disk.tree.root, Buffer.from("snapshots")))!;
  const names = (await listEntries(disk.tree, snapshots, 0)).map(({ name }) => name.toString());
  t.same(names.sort(), ["current", "level-0.vdi", "level-1.vdi", "level-2.vdi"]);
  await disk.close();
  t.match((await choose({ image: states[1]!.path })).notices, [
    /newer images are built on it, for example .*level-2\.vdi/,
  ]);
  t.match(await messageOf({ image: top, snapshot: "@2026-01-01" }), /the times of its states are not known/);
});

t.test("a machine that was moved is opened, and one whose disk lies elsewhere", async (t) => {
  const { folder, states, plan } = await home(t, { name: "m", snapshots: 2 });
  const moved = join(process.env["HOME"]!, "elsewhere/moved");
  await rename(folder, moved);
  const current = states.at(-1)!.disks[0]!;
  const { image } = await choose({ image: join(moved, "m.vbox") });
  t.equal(image, current.path.replace(folder, moved));
  t.ok((await readAll(image)).equals(current.model));
  t.match(await messageOf({ image: "m" }), /m\.vbox: no such file/);
  // The base goes elsewhere, and is registered there.
  const base = join(process.env["HOME"]!, "elsewhere/base.vdi");
  await rename(join(moved, "m-0.vdi"), base);
  const [disk] = plan.disks!;
  await writeFile(join(moved, "m.vbox"), machineXml({ ...plan, disks: [{ ...disk!, location: base }] }));
  t.equal((await choose({ image: join(moved, "m.vbox"), snapshot: "base" })).image, base);
});

t.test(
  "a file that a machine's settings name is opened only if it contains the registered UUID, or lies in an allowed folder",
  async (t) => {
    const { plan, folder, states } = await home(t, { name: "m", snapshots: 0 });
    const secret = join(process.env["HOME"]!, "elsewhere/secret");
    await writeFile(secret, Buffer.alloc(1024, 1));
    const uuid = plan.disks![0]!.uuid;
    const registering = (location: string) =>
      writeFile(join(folder, "m.vbox"), machineXml({ ...plan, disks: [{ uuid, location }] }));
    await registering(secret);
    t.match(
      await messageOf({ image: "m" }),
      /secret: .*lies outside the machine's folder and .* registered; allow it with --allow-dir/,
    );
    t.equal((await choose({ image: "m", allowDirs: [dirname(secret)] })).image, secret);
    await writeVdi(join(dirname(secret), "other.vdi"), { diskSize: 2 ** 20, uuid: random(9).uuid() });
    await registering(join(dirname(secret), "other.vdi"));
    t.match(await messageOf({ image: "m" }), /lies outside/);
    await registering("m-0.vdi");
    await writeVdi(join(folder, "m-0.vdi"), { diskSize: 2 ** 20, uuid: random(9).uuid() });
    t.match((await choose({ image: "m" })).notices, [/the UUID of this image is .*, but .* is registered/]);
    await rm(states[0]!.disks[0]!.path);
    t.match(await messageOf({ image: "m" }), /is registered as m-0\.vdi, which does not exist/);
  },
);

t.test("a DVD of a machine is refused", async (t) => {
  const { plan, file, folder } = await home(t, { name: "m", snapshots: 0 });
  const uuid = random(2).uuid();
  await writeFile(file, machineXml({ ...plan, dvds: [{ uuid, location: "cd.iso" }] }));
  await writeFile(join(folder, "cd.iso"), Buffer.alloc(2048));
  t.match(
    await messageOf({ image: uuid }),
    /cd\.iso: this is a dvd of a machine.*give the path of its file$/,
  );
  t.match(await messageOf({ image: random(3).uuid() }), /no machine and no image with this UUID/);
});

t.test("encrypted disks are refused, and write-through disks have only one state", async (t) => {
  const { plan, folder } = await home(t, { name: "m", snapshots: 2 });
  const [disk] = plan.disks!;
  const rewrite = (more: object) =>
    writeFile(join(folder, "m.vbox"), machineXml({ ...plan, disks: [{ ...disk!, ...more }] }));
  await rewrite({ properties: { "CRYPT/KeyId": "a", "CRYPT/KeyStore": "U0NORQ==" } });
  t.match(await messageOf({ image: "m" }), /encrypted/);
  t.match(await messageOf({ image: join(folder, "m-0.vdi") }), /encrypted/);
  await rewrite({ type: "Writethrough" });
  t.equal((await findMachine("m")).disks[0]!.states.length, 1);
  for (const snapshot of ["state 0", "latest", "latest~1", "current~1", "@2026-01-01"]) {
    t.match(await messageOf({ image: "m", snapshot }), /writethrough disk: it takes no part in snapshots/);
  }
});

t.test("a notice says that file systems were in use, unless --allow-live is given", async (t) => {
  const { plan, file } = await home(t, { name: "m", snapshots: 2 });
  const told = async (wanted: Partial<Wanted>) => (await choose({ image: "m", ...wanted })).notices;
  t.same(await told({}), []);
  const first = { ...plan.snapshot!, stateFile: "Snapshots/1.sav" };
  const attributes = { ...plan.attributes, stateFile: "Snapshots/2.sav" };
  await writeFile(file, machineXml({ ...plan, attributes, snapshot: first }));
  t.match(await told({}), [/m\.vbox: the machine is saved, not shut down: its file systems were in use/]);
  t.match(await told({ snapshot: "state 0" }), [/the snapshot "state 0" was taken while the machine ran/]);
  t.same(await told({ snapshot: "state 1" }), []);
  t.same(await told({ allowLive: true }), []);
  t.same(await told({ snapshot: "state 0", allowLive: true }), []);
});

/**
 * Beside the real VirtualBox: a machine that it writes in this test, from a new seed each time, and where the
 * collection beside the project is there, the machines that it wrote for that. VDISK_SEED repeats a seed.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { openDisk, read } from "../../src/index.js";
import { choose } from "../../src/machine/choose.js";
import { listMachines } from "../../src/machine/machines.js";
import { attempt, output, ROOT, run, VDISK, type Result } from "../support/command.js";
import { place } from "../support/place.js";
import { VirtualBox } from "../support/virtualbox.js";
import { writeMachine } from "./written.js";

const JUDGE = join(ROOT, "test/cli/machines.py");
const COMPARE = join(ROOT, "test/support/compare_trees.py");
const VBOXIMG_MOUNT = join(ROOT, "dist/cli/vboximg-mount/main.js");
const CORPUS = fileURLToPath(new URL("../../../shared/corpora/virtualbox.tar.gz", import.meta.url));
/** The images of formats that are read. */
const READ = /\.(vdi|vhd)$/;
const seed = Number(process.env["VDISK_SEED"] ?? Math.floor(Math.random() * 2 ** 32));

interface Snapshot {
  readonly uuid: string;
  readonly name: string;
  readonly taken: string;
  readonly attached: Readonly<Record<string, string>>;
  readonly children: readonly Snapshot[];
}
interface Medium {
  readonly uuid: string;
  readonly location: string;
  readonly children: readonly Medium[];
}
/** A machine's settings, by Python's own XML. */
interface Machine {
  readonly name: string;
  readonly uuid: string;
  readonly path: string;
  readonly currentSnapshot: string | null;
  readonly media: readonly Medium[];
  readonly attached: Readonly<Record<string, string>>;
  readonly snapshots: readonly Snapshot[];
}
/** A state as the settings have it. */
interface State {
  readonly name: string;
  readonly uuid?: string;
  readonly taken?: string;
  readonly image: string;
  readonly parent: State | undefined;
}

const flat = <T extends { readonly children: readonly T[] }>(trees: readonly T[]): T[] =>
  trees.flatMap((tree) => [tree, ...flat(tree.children)]);

t.test(`seed ${seed}`, { timeout: 600_000 }, async (t) => {
  t.comment(`VDISK_SEED=${seed} repeats this`);
  const vm = await VirtualBox.start(t);
  process.env["VBOX_USER_HOME"] = vm.home;
  const hashes = new Map<string, string>();
  const written = await writeMachine(vm, seed);
  const others = await corpusMachines(vm, hashes);
  const settings = (name: string): string => join(vm.machines, name, `${name}.vbox`);
  const machines = machinesIn([written.name, ...others].map(settings));
  const mine = machines[0]!;
  for (const { uuid } of flat(mine.media)) hashes.set(uuid, await vm.hashOf(uuid));
  for (const { uuid, attached } of flat(mine.snapshots))
    t.equal(hashes.get(attached["SATA 0:0"]!), written.taken.get(uuid), "a snapshot keeps what was there");
  t.equal(hashes.get(mine.attached["SATA 0:0"]!), written.current);

  await t.test("the machines and their images are those that VirtualBox lists", (t) =>
    listing(t, vm, machines),
  );
  for (const machine of machines.filter(({ media }) => media.every(({ location }) => READ.test(location)))) {
    await t.test(`${machine.name}: every image is what VirtualBox makes of it`, (t) =>
      images(t, machine, hashes),
    );
    for (const slot of Object.keys(machine.attached)) {
      await t.test(`${machine.name}, ${slot}: every state by every name`, (t) =>
        everyName(t, machine, slot, hashes),
      );
    }
    await t.test(`${machine.name}: snapshots/ in a mount, and the kernel's own mount of each state`, (t) =>
      mounted(t, machine, hashes),
    );
  }
  for (const [title, args] of Object.entries({
    "--list": ["--list"],
    "--list --verbose": ["-l", "-v"],
    "--list --wide": ["-l", "-w"],
    "--list of one machine": ["-l", "--vm", mine.uuid],
    "--list --wide of one machine": ["-l", "-w", "--vm", mine.uuid],
  })) {
    await t.test(`vboximg-mount ${title} prints what VirtualBox's prints`, (t) =>
      beside(t, vm, args, machines),
    );
  }
  await t.test("vboximg-mount --list --image prints what VirtualBox's prints", async (t) => {
    for (const { uuid } of flat(machines.flatMap(({ media }) => media)).filter(({ uuid }) =>
      hashes.has(uuid),
    ))
      await partitionsBeside(t, vm, uuid);
  });
});

/** Unpacks and registers the collection's machines; gives their names, and adds the truth about those that are read. */
async function corpusMachines(vm: VirtualBox, hashes: Map<string, string>): Promise<string[]> {
  if (!existsSync(CORPUS)) return [];
  execFileSync("tar", ["-C", vm.folder, "-xzf", CORPUS]);
  const unpacked = join(vm.folder, "virtualbox");
  for (const line of readFileSync(join(unpacked, "states.tsv"), "utf8").split("\n")) {
    const [, uuid, , , file = "", , hash] = line.split("\t");
    if (READ.test(file)) hashes.set(uuid!, hash!);
  }
  const names = readdirSync(join(unpacked, "machines"));
  for (const name of names) {
    execFileSync("mv", [join(unpacked, "machines", name), vm.machines]);
    await vm.manage("registervm", join(vm.machines, name, `${name}.vbox`));
  }
  return names;
}

function machinesIn(files: readonly string[]): Machine[] {
  const lines = execFileSync("python3", [JUDGE, ...files], { encoding: "utf8" })
    .trim()
    .split("\n");
  return lines.map((line) => JSON.parse(line) as Machine);
}

const vdisk = (...args: string[]): Promise<Result> => run(process.execPath, [VDISK, ...args]);

const pathOf = (machine: Machine, location: string): string => resolve(dirname(machine.path), location);

/** The states of the disk in `slot`, the current one last; a disk that takes no part in snapshots has that only. */
function statesOf(machine: Machine, slot: string): State[] {
  const states: State[] = [];
  const add = (snapshots: readonly Snapshot[], parent: State | undefined): void => {
    for (const { name, uuid, taken, attached, children } of snapshots) {
      const state = { name, uuid, taken, image: attached[slot]!, parent };
      states.push(state);
      add(children, state);
    }
  };
  add(machine.snapshots, undefined);
  const parent = states.find(({ uuid }) => uuid === machine.currentSnapshot);
  const current = { name: "current", image: machine.attached[slot]!, parent };
  const isApart = states.some(({ image }) => image === current.image);
  return isApart ? [{ ...current, parent: undefined }] : [...states, current];
}

async function listing(t: Test, vm: VirtualBox, machines: readonly Machine[]): Promise<void> {
  const names = (await vm.manage("list", "vms")).trim().split("\n").sort();
  const { code, stdout, stderr } = await vdisk("list", "--json");
  t.equal(code, 0, stderr);
  const ours = (JSON.parse(stdout) as { machines: (Machine & { disks: OurDisk[] })[] }).machines;
  t.same(ours.map(({ name, uuid }) => `"${name}" {${uuid}}`).sort(), names);
  for (const machine of machines) {
    const { disks } = ours.find(({ uuid }) => uuid === machine.uuid)!;
    t.same(disks.map(({ slot }) => slot).sort(), Object.keys(machine.attached).sort(), machine.name);
    for (const { slot, states } of disks) {
      const expected = statesOf(machine, slot).map(({ name, image }) => `${name}: ${image}`);
      t.same(states.map(({ name, imageUuid }) => `${name}: ${imageUuid}`).sort(), expected.sort(), slot);
    }
  }
  const short = await vdisk("list");
  const wide = await vdisk("list", "--wide");
  const verbose = await vdisk("list", "-v");
  for (const { code, stderr } of [short, wide, verbose]) t.equal(code, 0, stderr);
  for (const { name } of machines) t.ok(short.stdout.includes(name), name);
  for (const [, uuid] of (await vm.manage("list", "hdds")).matchAll(/^UUID: +(.*)$/gm))
    t.ok(verbose.stdout.includes(uuid!), `${uuid} is listed`);
  for (const machine of machines) {
    for (const slot of Object.keys(machine.attached)) {
      for (const { name, image } of statesOf(machine, slot)) {
        const rows = wide.stdout
          .split("\n")
          .filter((row) => row.startsWith(machine.name) && row.includes(name));
        t.ok(
          rows.some((row) => row.includes(image)),
          `${machine.name}, ${slot}, ${name}: ${image}`,
        );
      }
    }
  }
}

interface OurDisk {
  readonly slot: string;
  readonly states: readonly { readonly name: string; readonly imageUuid: string }[];
}

async function images(t: Test, machine: Machine, hashes: ReadonlyMap<string, string>): Promise<void> {
  for (const { uuid, location } of flat(machine.media)) {
    const disk = await openDisk(pathOf(machine, location));
    const bytes = await read(disk.source, 0, disk.source.size);
    t.equal(createHash("sha256").update(bytes).digest("hex"), hashes.get(uuid), location);
    await disk.close();
  }
}

async function everyName(
  t: Test,
  machine: Machine,
  slot: string,
  hashes: ReadonlyMap<string, string>,
): Promise<void> {
  const list = await listMachines();
  const media = flat(machine.media);
  const pathOfImage = (uuid: string): string =>
    pathOf(machine, media.find((medium) => medium.uuid === uuid)!.location);
  const is = async (snapshot: string | undefined, uuid: string): Promise<void> => {
    const wanted = { image: machine.uuid, disk: slot, ...(snapshot === undefined ? {} : { snapshot }) };
    t.equal((await choose(wanted, list)).image, pathOfImage(uuid), `--snapshot ${snapshot}`);
  };
  const states = statesOf(machine, slot);
  const current = states.at(-1)!;
  await is(undefined, current.image);
  await is("current", current.image);
  await is("@2099-01-01", current.image); // a moment to come
  if (states.length === 1 && machine.snapshots.length > 0) {
    const [first] = machine.snapshots;
    const wanted = { image: machine.uuid, disk: slot, snapshot: first!.name };
    await t.rejects(choose(wanted, list), { code: "MISSING" }, "it takes no part in snapshots");
  }
  const snapshots = states.filter(({ uuid }) => uuid !== undefined);
  for (const state of states) {
    for (let up = state.parent, count = 1; up !== undefined; up = up.parent, count++)
      await is(`${state.uuid ?? "current"}~${count}`, up.image);
    await is(state.image, state.image);
    await is(`{${state.image.toUpperCase()}}`, state.image);
    await is(basename(pathOfImage(state.image)), state.image);
  }
  for (const { name, uuid, taken, image } of snapshots) {
    await is(name, image);
    await is(name.toUpperCase(), image);
    await is(uuid, image);
    await is(`{${uuid}}`, image);
    if (snapshots.filter((other) => other.taken === taken).length === 1) await is(`@${taken}`, image);
  }
  if (snapshots.length > 0) {
    const inOrder = [...snapshots].sort((a, b) => (a.taken! < b.taken! ? -1 : 1));
    const newest = inOrder.at(-1)!;
    if (inOrder.at(-2)?.taken !== newest.taken) {
      await is("latest", newest.image);
      for (let up = newest.parent, count = 1; up !== undefined; up = up.parent, count++)
        await is(`latest~${count}`, up.image);
    }
    await is(
      "base",
      media.find(({ children }) => flat(children).some(({ uuid }) => uuid === current.image))!.uuid,
    );
  }
  for (const { name, image } of states) {
    const cat = `"$0" "$1" cat "$2" vhdd --disk "$3" --snapshot "$4" | sha256sum`;
    const hash = await output("sh", "-c", cat, process.execPath, VDISK, machine.name, slot, name);
    t.equal(hash.slice(0, 64), hashes.get(image), `vdisk cat --snapshot "${name}"`);
  }
}

async function mounted(t: Test, machine: Machine, hashes: ReadonlyMap<string, string>): Promise<void> {
  const slot = Object.keys(machine.attached)[0]!;
  const [folder, judge] = [place(t), place(t)];
  const result = await vdisk("mount", machine.name, folder, "--disk", slot);
  t.equal(result.code, 0, result.stderr);
  const states = statesOf(machine, slot);
  const inTree = (name: string): string => name.replaceAll("/", "_");
  const names = readdirSync(join(folder, "snapshots")).sort();
  t.same(names, states.map(({ name }) => inTree(name)).sort());
  for (const { name, image } of states) {
    const state = join(folder, "snapshots", inTree(name));
    t.equal(
      (await output("sh", "-c", 'sha256sum <"$0"', join(state, "vhdd"))).slice(0, 64),
      hashes.get(image),
      name,
    );
    const device = (await output("losetup", "-r", "-f", "--show", join(state, "vol0"))).trim();
    try {
      await output("mount", "-o", "ro", device, judge);
      // In snapshots/, inode numbers are shifted, by another number for each state.
      const compared = await run("python3", [COMPARE, judge, join(state, "fs0"), "--ignore", "st_ino"]);
      t.equal(compared.code, 0, compared.stdout);
      await output("umount", judge);
    } finally {
      attempt("umount", judge);
      attempt("losetup", "-d", device);
    }
    const copied = join(t.testdir(), "fat");
    execFileSync("mkdir", [copied]);
    if ((await run("mcopy", ["-s", "-n", "-i", join(state, "vol1"), "::/*", copied])).code === 0)
      t.equal((await run("diff", ["-r", copied, join(state, "fs1")])).code, 0, `${name}: vol1 by mtools`);
  }
  t.equal((await vdisk("unmount", folder)).code, 0);
}

/**
 * The listings side by side. What differs on purpose is in the README: --verbose says which image shows which
 * snapshot, where VirtualBox's has an empty description; and of a VMDK in several files we know the first one's size.
 */
async function beside(t: Test, vm: VirtualBox, args: string[], machines: readonly Machine[]): Promise<void> {
  const theirs = await vm.run("vboximg-mount", ...args);
  const ours = await run(process.execPath, [VBOXIMG_MOUNT, ...args]);
  t.same([theirs.code, ours.code], [0, 0], ours.stderr);
  t.equal(common(ours.stdout), common(theirs.stdout));
  t.ok(theirs.stdout.split("\n").length > 10);
  if (!args.includes("-v")) return;
  for (const { name } of machines.flatMap(({ snapshots }) => flat(snapshots)))
    t.ok(ours.stdout.includes(`snapshot "${name}"`), `it says which image shows "${name}"`);
}

/** A listing without that in which the two differ on purpose. */
function common(listing: string): string {
  return listing
    .replaceAll(/^ {4}Desc: {4}(snapshot "|current state).*\n/gm, "")
    .replaceAll(/^( {9}Desc:).*$/gm, "$1")
    .replaceAll(/^(.*vmdk-\w+\.vmdk) +\S+ +(VMDK .*)$/gm, "$1 $2")
    .replaceAll(/^( {4}Path: .*\/vmdk-\w+\.vmdk\n {4}Format: {2}VMDK\n {4}Size: ).*$/gm, "$1");
}

/** The partitions of an image. VirtualBox's colours its headings always, pads the last column, and knows fewer types. */
async function partitionsBeside(t: Test, vm: VirtualBox, uuid: string): Promise<void> {
  const theirs = await vm.run("vboximg-mount", "--list", "--image", uuid);
  const ours = await run(process.execPath, [VBOXIMG_MOUNT, "--list", "--image", uuid]);
  t.same([theirs.code, ours.code], [0, 0], theirs.stderr + ours.stderr);
  // eslint-disable-next-line no-control-regex -- the colours
  const plain = theirs.stdout.replaceAll(/\x1b\[\d*m/g, "").replaceAll(/ +$/gm, "");
  const named = plain.replaceAll(/ Unknown$/gm, " Data without a file system");
  t.equal(ours.stdout, named, uuid);
}

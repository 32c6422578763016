import { execFileSync } from "node:child_process";
import { closeSync, copyFileSync, cpSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { random } from "../image/random.js";
import { realSettings } from "../image/image.js";
import { globalXml, VERSIONS } from "../machine/virtualbox/builder.js";
import { liveMachine, type Lived } from "../machine/virtualbox/generator.js";
import { BASE, NEWEST, run, VDISK, type Result } from "../support/command.js";

const JUDGE = fileURLToPath(new URL("machines.py", import.meta.url));

interface Tree {
  readonly uuid: string;
  readonly children: readonly Tree[];
}
interface Snapshot extends Tree {
  readonly name: string;
  readonly taken: string;
  readonly attached: Readonly<Record<string, string>>;
  readonly children: readonly Snapshot[];
}
interface Told {
  readonly uuid: string;
  readonly path: string;
  readonly currentSnapshot: string | null;
  readonly media: readonly (Tree & { location: string })[];
  readonly attached: Readonly<Record<string, string>>;
  readonly snapshots: readonly Snapshot[];
}
interface Listed extends Omit<Told, "attached"> {
  readonly disks: readonly {
    slot: string;
    base: string;
    states: readonly { name: string; uuid?: string; isCurrent: boolean; imageUuid: string }[];
  }[];
}

/** A home with machines that lived, and how to run vdisk there. */
async function home(
  t: Test,
): Promise<{ root: string; lives: Lived[]; vdisk: (...args: string[]) => Promise<Result> }> {
  const root = t.testdir({ "VirtualBox VMs": {}, ".config": { VirtualBox: {} } });
  const lives: Lived[] = [];
  for (const [index, version] of VERSIONS.filter((version) => Number(version.slice(2)) >= 11).entries()) {
    const name = `vm ${version}`;
    const folder = join(root, "VirtualBox VMs", name);
    mkdirSync(folder);
    lives.push(
      await liveMachine(folder, random(index), { name, snapshots: index, disks: 1 + (index % 2), version }),
    );
  }
  const machines = lives.map(({ file, plan }) => ({ uuid: plan.uuid, src: file }));
  writeFileSync(join(root, ".config/VirtualBox/VirtualBox.xml"), globalXml({ machines }));
  const environment = { HOME: root, VBOX_USER_HOME: "", XDG_CONFIG_HOME: "", XDG_STATE_HOME: "", TZ: "UTC" };
  return { root, lives, vdisk: (...args) => run(process.execPath, [VDISK, ...args], environment) };
}

const flat = <T extends { readonly children: readonly T[] }>(trees: readonly T[]): T[] =>
  trees.flatMap((tree) => [tree, ...flat(tree.children)]);

t.test("list --json prints what a program in Python reads from the settings", async (t) => {
  const { root, lives, vdisk } = await home(t);
  const files = lives.map(({ file }) => file);
  for (const real of realSettings) {
    const name = basename(real, ".vbox");
    files.push(join(root, "VirtualBox VMs", name, basename(real)));
    mkdirSync(dirname(files.at(-1)!), { recursive: true });
    copyFileSync(real, files.at(-1)!);
  }
  const { code, stdout, stderr } = await vdisk("list", "--json");
  t.same([code, stderr], [0, ""]);
  const { machines } = JSON.parse(stdout) as { machines: Listed[] };
  const judged = execFileSync("python3", [JUDGE, ...files], { encoding: "utf8" })
    .trim()
    .split("\n");
  t.equal(machines.length, judged.length);
  for (const line of judged) {
    const { attached, currentSnapshot, ...told } = JSON.parse(line) as Told;
    const ours = machines.find(({ uuid }) => uuid === told.uuid)!;
    const { snapshots, ...rest } = told;
    t.match(ours, rest, told.path);
    t.equal(ours.currentSnapshot, currentSnapshot ?? undefined);
    const names = (all: readonly Snapshot[]) =>
      flat(all).map(({ uuid, name, taken }) => ({ uuid, name, taken }));
    t.same(names(ours.snapshots), names(snapshots));
    t.same(
      flat(ours.snapshots).map(({ children }) => children.map(({ uuid }) => uuid)),
      flat(snapshots).map(({ children }) => children.map(({ uuid }) => uuid)),
    );
    for (const { slot, states } of ours.disks) {
      const byTime = [...flat(snapshots)].sort((a, b) => (a.taken < b.taken ? -1 : 1));
      t.same(
        states.map(({ uuid, imageUuid }) => [uuid, imageUuid]),
        [...byTime.map(({ uuid, attached }) => [uuid, attached[slot]]), [undefined, attached[slot]]],
      );
    }
    t.same(
      ours.disks.map(({ slot }) => slot),
      Object.keys(attached),
    );
  }
});

t.test("list prints machines, disks and snapshots, and marks the current state", async (t) => {
  const { root, lives, vdisk } = await home(t);
  const last = lives.at(-1)!;
  const { stdout } = await vdisk("list");
  for (const { plan } of lives) t.ok(stdout.includes(`${plan.name}  {${plan.uuid}}  powered off\n`));
  t.equal(stdout.match(/\* current$/gm)?.length, lives.length - 1, "the first has no snapshot");
  const one = await vdisk("list", "--vm", last.plan.name, "--verbose");
  for (const { imageUuid, path } of last.states.flatMap(({ disks }) => disks)) {
    t.ok(one.stdout.includes(`{${imageUuid}}`) && one.stdout.includes(path));
  }
  t.match(one.stdout, /disk 0 +SATA 0:0 +vm 1\.20-0\.vdi +384\.0 KiB +.* on the host/);
  t.match(one.stdout, /2026-01-01 12:00 +state 0 +\{/);
  const writer = openSync(last.states.at(-1)!.disks[0]!.path, "r+");
  const inUse = await vdisk("list");
  t.ok(
    inUse.stdout.includes(
      `${last.plan.name}  {${last.plan.uuid}}  in use by node (process ${process.pid})\n`,
    ),
  );
  const json = JSON.parse((await vdisk("list", "--json", "--vm", last.plan.uuid)).stdout) as {
    machines: { disks: { users: unknown[] }[] }[];
  };
  t.same(json.machines[0]!.disks[0]!.users, [{ how: "open for writing", pid: process.pid, program: "node" }]);
  closeSync(writer);
  t.notMatch((await vdisk("list")).stdout, /in use/);
  const half = join(root, "VirtualBox VMs/half/half.vbox");
  mkdirSync(dirname(half));
  writeFileSync(half, "<VirtualBox><Machine");
  const { plan } = lives[1]!;
  const cut = lives[1]!.file;
  copyFileSync(cut, `${cut}-prev`);
  writeFileSync(cut, "");
  const instead = /vm 1\.12\.vbox: this file is empty; its previous version is read instead: .*\.vbox-prev/;
  t.match((await vdisk("list")).stdout, instead);
  t.match(await vdisk("list", "-w"), { stdout: new RegExp(`^${plan.name} +SATA 0:0`, "m"), stderr: instead });
  const unreadable = await vdisk("list", "-w");
  t.match(unreadable.stdout, /^half +inaccessible +\/.*half\.vbox: this is not complete and valid XML/m);
  t.equal(
    unreadable.code,
    65,
    "a machine that cannot be read is an error of the listing, which is complete otherwise",
  );
  const wide = await vdisk("list", "-w", "--vm", last.file);
  t.equal(wide.stdout.split("\n").length, 2 + last.states.length * last.plan.attached!.length);
});

t.test("wrong arguments are usage errors, and the help describes all that can be listed", async (t) => {
  const { vdisk } = await home(t);
  for (const args of [
    ["--vm", "a", "--vm", "b"],
    ["--vm", ""],
    [""],
    ["--mounts", NEWEST],
    ["--mounts", "--vm", "a"],
  ]) {
    const { code, stderr } = await vdisk("list", ...args);
    t.equal(code, 64, args.join(" "));
    t.match(stderr, /^vdisk: .*; see vdisk list --help\n$/);
  }
  const { stdout } = await vdisk("list", "--help");
  t.match(stdout, /--mounts +List mounts instead/);
  t.match(stdout, /vdisk list --mounts +All mounts, and the processes that serve/);
});

t.test("list IMAGE prints its partitions", async (t) => {
  const { vdisk } = await home(t);
  const { stdout } = await vdisk("list", NEWEST);
  t.match(stdout, /^image +\/.*\.vdi\nbase +.*web\.vdi\nuuid +5b2c9a4e-/);
  t.match(stdout, /^name +boot +start +sectors +size +offset +type +file system +label$/m);
  t.match(stdout, /^vol0 +\* +2048 +4096 +2\.0 MiB +1048576 +Linux native +ext2 +boot$/m);
  t.match(stdout, /^vol1 +8192 +\d+ +11\.0 MiB +4194304 +Linux native +ext4 +web-root$/m);
  t.match(JSON.parse((await vdisk("list", "--json", NEWEST)).stdout), {
    base: BASE,
    table: { kind: "mbr" },
    partitions: [
      { name: "vol0", boot: true, start: 2048, sectors: 4096, offset: 1048576, typeId: "0x83" },
      { number: 5, label: "web-root" },
    ],
  });
});

t.test("every command accepts a machine and a state", async (t) => {
  const { root, lives, vdisk } = await home(t);
  const { plan, states } = lives.at(-2)!;
  const [first] = states;
  const vhdd = await run(
    "sh",
    [
      "-c",
      '"$@" | sha256sum',
      "sh",
      process.execPath,
      VDISK,
      "cat",
      plan.name,
      "--snapshot",
      "state 0",
      "vhdd",
    ],
    { HOME: root },
  );
  const expected = execFileSync("sha256sum", { input: first!.disks[0]!.model, encoding: "utf8" });
  t.equal(vhdd.stdout, expected);
  t.match(
    (await vdisk("info", plan.uuid, "--snapshot", "base", "--json")).stdout,
    first!.disks[0]!.imageUuid,
  );
  t.match((await vdisk("ls", plan.name, "--snapshot", "latest~1")).stdout, /^vhdd\nvol0\n/m);
  const cases: [number, RegExp, ...string[]][] = [
    [66, /no such file, and no machine with this name; the machines are: "vm 1\.11"/, "ls", "nobody"],
    [66, /this disk has no state "x"; its states are: "state 0" \{/, "ls", plan.name, "--snapshot", "x"],
    [66, /several hard disks: 0 \(SATA 0:0/, "ls", "vm 1.12"],
    [66, /no machine has this name or UUID/, "list", "--vm", "nobody"],
    [66, /\.vbox: no such file/, "ls", "none.vbox"],
    [64, /--snapshot is given more than once/, "ls", "--snapshot", "a", "--snapshot", "b", plan.name],
    [64, /--disk: only together with an IMAGE/, "list", "--disk", "0"],
    [
      64,
      /@yesterday is not a valid time; valid are @2026-03-01.*--help/,
      "ls",
      "--snapshot",
      "@yesterday",
      plan.name,
    ],
    [64, /--mounts lists all mounts/, "list", "--mounts", plan.name],
  ];
  for (const [code, complaint, ...args] of cases)
    t.match(await vdisk(...args), { code, stderr: complaint }, args.join(" "));
});

t.test("a file is used rather than a machine of the same name, and a notice says so", async (t) => {
  const { root, vdisk } = await home(t);
  cpSync(BASE, join(root, "vm 1.11"));
  const script = 'cd "$1" && shift && exec "$@"';
  const result = await run("sh", ["-c", script, "sh", root, process.execPath, VDISK, "ls", "vm 1.11"], {
    HOME: root,
  });
  t.match(result, { code: 0, stdout: /fs1/, stderr: /a machine has this name, too; the file/ });
  t.match(await vdisk("ls", "vm 1.11"), { code: 0, stdout: /^snapshots\nvhdd\nvm 1/ });
});

/** `snapshots/` without a mount: every state is its model, opened when it is entered, and no image twice. */
import { readdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import t, { type Test } from "tap";
import { read } from "../../src/extent/read.js";
import type { DiskState } from "../../src/machine/machine.js";
import { openDisk, type Disk, type OpenOptions } from "../../src/tree/disk.js";
import { findNode } from "../../src/tree/path.js";
import { listDirectory } from "../../src/tree/walk.js";
import { random } from "../image/random.js";
import { writeStates } from "./states.js";

const folder = t.testdir();
const states = await writeStates(folder, random(31), 40);
const newest = states.at(-1)!;

async function open(t: Test, given: readonly DiskState[] = states, options: OpenOptions = {}): Promise<Disk> {
  const disk = await openDisk(newest.image, { states: given, ...options });
  t.teardown(() => disk.close());
  return disk;
}

async function contents(disk: Disk, path: string): Promise<Buffer> {
  const { id } = await findNode(disk, path, true);
  const source = await disk.tree.open(id);
  return read(source, 0, source.size);
}

/** The images that this process has open, once for each descriptor. */
function openImages(): string[] {
  const links = readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the descriptor that listed them
    }
  });
  return links.filter((link) => link.endsWith(".vdi"));
}

t.test("every state is its model, whatever the order in which they are entered", async (t) => {
  const disk = await open(t);
  for (let round = 0; round < 2; round++) {
    for (const { name, model, text } of random(round).shuffle(states)) {
      const vhdd = await contents(disk, `snapshots/${name}/vhdd`);
      if (!vhdd.equals(readFileSync(model))) t.fail(`${name} differs`);
      t.equal((await contents(disk, `snapshots/${name}/fs0/etc/deep/state`)).toString(), text);
    }
  }
  t.equal((await contents(disk, "/etc/deep/state")).toString(), newest.text);
});

t.test("listing the states opens none of them, and shows when they were taken", async (t) => {
  const disk = await open(t);
  const before = openImages().sort();
  const { id } = await findNode(disk, "snapshots", true);
  const { entries } = await listDirectory(disk.tree, id);
  t.same(entries.map((entry) => entry.name.toString()).sort(), states.map(({ name }) => name).sort());
  for (const entry of entries) {
    const { type, modified } = await disk.tree.attributes(entry.id);
    t.equal(type, "directory");
    const state = states.find(({ name }) => name === entry.name.toString())!;
    if (state.taken !== undefined) t.same(modified, state.taken);
    t.equal(disk.tree.isCostly!(entry.id), true);
  }
  t.same(openImages().sort(), before);
});

t.test("each image is opened once for all states, and all are closed in the end", async (t) => {
  t.same(openImages(), []);
  const disk = await openDisk(newest.image, { states });
  // Also where many are entered at once.
  await Promise.all(states.map(({ name }) => contents(disk, `snapshots/${name}/fs0/etc/deep/state`)));
  t.same(openImages().sort(), states.map(({ image }) => image).sort());
  await disk.close();
  t.same(openImages(), []);
});

t.test("a file that is held open reads on when its state has been let go of", async (t) => {
  const disk = await open(t);
  const { id } = await findNode(disk, "snapshots/Snapshot 3/fs0/var/log", true);
  const source = await disk.tree.open(id);
  const expected = await read(source, 0, source.size);
  for (const { name } of states) await contents(disk, `snapshots/${name}/fs0/etc/deep/state`);
  globalThis.gc?.();
  t.same(await read(source, 0, source.size), expected);
  t.equal((await findNode(disk, "snapshots/Snapshot 3/fs0/var/log", true)).id, id, "its number stays");
});

t.test(
  "no two states share an inode number, whole or as 32 bits; the mounted one has the guest's",
  async (t) => {
    const disk = await open(t);
    const inodes = await Promise.all(
      ["", ...states.map(({ name }) => `snapshots/${name}/`)].map(
        async (place) => (await findNode(disk, `${place}fs0/etc`, true)).attributes.inode,
      ),
    );
    t.equal(new Set(inodes).size, states.length + 1);
    t.equal(new Set(inodes.map((inode) => inode % 2 ** 32)).size, states.length + 1);
    t.ok(inodes[0]! < 100);
    const { id } = await findNode(disk, "snapshots/Snapshot 5/fs0", true);
    for (const entry of (await listDirectory(disk.tree, id)).entries)
      t.equal(entry.inode, (await disk.tree.attributes(entry.id)).inode, "a listing says the same");
  },
);

t.test("links within a state stay within it, and .. leads out of it", async (t) => {
  const disk = await open(t);
  t.equal(
    (await contents(disk, "snapshots/Snapshot 2/../Snapshot 4/fs0/etc/../etc/deep/state")).toString(),
    states[4]!.text,
  );
  const link = await findNode(disk, `snapshots/Snapshot 4/${basename(states[4]!.image)}`, true);
  t.equal(link.attributes.type, "symlink");
  t.equal((await disk.tree.readLink(link.id)).toString(), states[4]!.image);
  await t.rejects(findNode(disk, "snapshots/none", true), { code: "MISSING" });
});

t.test("a state that cannot be opened is an error of its own, and the others go on", async (t) => {
  const other = "99999999-9999-4999-8999-999999999999";
  const stray = join(t.testdir(), "stray.img");
  writeFileSync(stray, Buffer.alloc(4096));
  const lost = states[1]!;
  const broken: DiskState[] = [
    { ...states[0]!, name: "gone", image: join(folder, "nowhere.vdi") },
    { name: "nowhere", isCurrent: false, imageUuid: other },
    { ...states[0]!, name: "other", imageUuid: other },
    { name: "stray", isCurrent: false, image: stray, imageUuid: other },
    { ...lost, name: "orphan" },
    states[2]!,
  ];
  const away = join(dirname(stray), "away.vdi");
  renameSync(states[0]!.image, away);
  const disk = await openDisk(stray, { states: broken });
  t.teardown(() => disk.close());
  const entering = (name: string): Promise<unknown> => findNode(disk, `snapshots/${name}/vhdd`, true);
  await t.rejects(entering("gone"), { code: "MISSING", message: /^snapshots\/gone: .*nowhere\.vdi/ });
  await t.rejects(entering("nowhere"), {
    code: "MISSING",
    message: new RegExp(`{${other}} was not found; move it back`),
  });
  await t.rejects(entering("orphan"), { code: "MISSING", message: /its parent/ });
  t.equal(
    (await findNode(disk, "snapshots/stray/vhdd", true)).attributes.size,
    4096,
    "beside the opened image",
  );
  renameSync(away, states[0]!.image);
  await t.rejects(entering("other"), { code: "CORRUPT", message: /UUID is .*the machine knows it/ });
  t.equal((await contents(disk, "snapshots/orphan/fs0/etc/deep/state")).toString(), lost.text, "it is back");
  t.equal((await contents(disk, "snapshots/Snapshot 2/fs0/etc/deep/state")).toString(), states[2]!.text);
});

t.test("a configuration makes no image of any file of the host", async (t) => {
  const secret = join(t.testdir({ "secret.bin": Buffer.alloc(4096, 0xee) }), "secret.bin");
  const hostile: DiskState = { name: "secret", isCurrent: false, image: secret, imageUuid: newest.imageUuid };
  const disk = await open(t, [hostile]);
  await t.rejects(findNode(disk, "snapshots/secret/vhdd", true), { code: "DENIED", message: /--allow-dir/ });
  const allowed = await open(t, [hostile], { allowDirs: [dirname(secret)] });
  t.equal((await contents(allowed, "snapshots/secret/vhdd"))[0], 0xee);
});

t.test("warnings about a state are reported once, when it is entered", async (t) => {
  const told: string[] = [];
  const cut = join(t.testdir(), "cut.img");
  writeFileSync(cut, Buffer.alloc(1000));
  const odd: DiskState = { name: "odd", isCurrent: false, image: cut, imageUuid: "" };
  const disk = await openDisk(newest.image, {
    states: [odd, ...states],
    allowDirs: [dirname(cut)],
    report: (warning) => told.push(warning),
  });
  t.teardown(() => disk.close());
  t.same(told, []);
  for (let round = 0; round < 2; round++)
    for (const { name } of [odd, ...states]) await contents(disk, `snapshots/${name}/vhdd`);
  t.equal(told.filter((warning) => warning.startsWith("snapshots/odd: ")).length, 1, told.join("\n"));
});

t.test("a disk without states has no snapshots/", async (t) => {
  for (const none of [[], [{ name: "x", isCurrent: false, imageUuid: "" }]]) {
    const disk = await open(t, none);
    t.equal(await disk.tree.lookup(disk.tree.root, Buffer.from("snapshots")), undefined);
  }
});

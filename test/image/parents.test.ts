import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import t, { type Test } from "tap";
import { DeniedError, MissingError, UnsupportedError } from "../../src/errors.js";
import { openChain, type Chain } from "../../src/image/chain.js";
import { findVirtualBoxImages } from "../../src/machine/virtualbox/images.js";
import { makeSocket, readAll } from "./image.js";
import { random } from "./random.js";
import { writeVdi, type VdiPlan } from "./vdi/builder.js";
import { writeVdiChain, type VdiState } from "./vdi/generator.js";

const KIB = 2 ** 10;
const findImages = findVirtualBoxImages;
const uuids = ["0", "1", "2", "3"].map((digit) => `${digit.repeat(8)}-1111-2222-3333-444444444444`);
const [A, B, C, D] = uuids as [string, string, string, string];

/** A small image: `uuid`, made on `parentUuid`. */
const image = (uuid: string, parentUuid?: string, more: Partial<VdiPlan> = {}): VdiPlan => ({
  diskSize: 128 * KIB,
  blockSize: 128 * KIB,
  type: parentUuid === undefined ? 1 : 4,
  uuid,
  ...(parentUuid !== undefined && { parentUuid, parentModification: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee" }),
  ...(parentUuid === undefined && { blocks: new Map([[0, Buffer.alloc(128 * KIB, uuid[0])]]) }),
  ...more,
});
const vbox = (...disks: [uuid: string, location: string][]): string =>
  `<VirtualBox><Machine uuid="{m}" name="m"><MediaRegistry><HardDisks>` +
  disks.map(([uuid, location]) => `<HardDisk uuid="{${uuid}}" location="${location}"/>`).join("") +
  `</HardDisks></MediaRegistry></Machine></VirtualBox>`;
const chainOf = (t: Test, depth: number, fileName?: (level: number, uuid: string) => string) =>
  writeVdiChain(t.testdir({ Snapshots: {}, inner: { Snapshots: {} } }), random(depth), {
    depth,
    size: 256 * KIB,
    isSteady: true,
    ...(fileName !== undefined && { fileName }),
  });
const isRight = async ({ path, model }: VdiState): Promise<boolean> => (await readAll(path)).equals(model);
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => new Error("it did not fail"),
    (error: unknown) => error as Error,
  );
const openCount = (): number => readdirSync("/proc/self/fd").length;
async function opened(path: string, act: (chain: Chain) => void): Promise<void> {
  const chain = await openChain(path, { findImages });
  act(chain);
  await chain.close();
}

t.test(
  "parents are found by UUID in the folder, in Snapshots and above it, whatever they are called",
  async (t) => {
    const places: ((level: number, uuid: string) => string)[] = [
      (level) => `${"photo letter disk".split(" ")[level]!}.${level}`,
      (level, uuid) => (level === 0 ? "base.vdi" : `Snapshots/{${uuid}}.vdi`),
      (level) => (level === 2 ? "leaf.vdi" : `Snapshots/${level}`),
    ];
    for (const place of places) {
      for (const state of await chainOf(t, 3, place)) t.ok(await isRight(state), basename(state.path));
    }
  },
);

t.test("a moved folder opens as before", async (t) => {
  const states = await chainOf(t, 3, (level) =>
    level === 0 ? "inner/base.vdi" : `inner/Snapshots/${level}.vdi`,
  );
  const inner = dirname(states[0]!.path);
  await rename(inner, `${inner}-moved`);
  t.ok(await isRight({ ...states[2]!, path: join(`${inner}-moved`, "Snapshots/2.vdi") }));
});

t.test("a parent in the folder above needs a reason: Snapshots, a machine file or --allow-dir", async (t) => {
  const [base, leaf] = (await chainOf(t, 2, (level) => (level === 0 ? "base.vdi" : "inner/leaf.vdi"))) as [
    VdiState,
    VdiState,
  ];
  const folder = dirname(base.path);
  await t.rejects(openChain(leaf.path, { findImages }), {
    name: "MissingError",
    message: new RegExp(`^${leaf.path}: .*${base.uuid}.*not in ${folder}, which lies outside.*--allow-dir`),
  });
  t.ok((await readAll(leaf.path, { allowDirs: [folder] })).equals(leaf.model));
  await writeFile(join(folder, "m.vbox"), vbox([leaf.uuid, "inner/leaf.vdi"]));
  t.ok((await readAll(leaf.path, { findImages })).equals(leaf.model));
});

t.test(
  "a missing parent names child, UUID, the places, what could not be read, and the way out",
  async (t) => {
    const states = await chainOf(t, 3);
    const folder = dirname(states[0]!.path);
    await writeFile(states[1]!.path, "<<< damaged >>>");
    const before = openCount();
    {
      const error = await failure(openChain(states[2]!.path));
      t.ok(error instanceof MissingError);
      const { message } = error;
      for (const part of [
        states[2]!.path,
        states[1]!.uuid,
        `${folder}/Snapshots`,
        "level-1.vdi, byte 0x0",
        "--allow-dir DIR",
      ])
        t.ok(message.includes(part), part);
    }
    t.equal(openCount(), before, "nothing is left open");
  },
);

t.test("a chain that comes back to itself is a CorruptError", async (t) => {
  const folder = t.testdir();
  const at = (name: string) => join(folder, name);
  await writeVdi(at("self.vdi"), image(D, D));
  await writeVdi(at("a.vdi"), image(A, B));
  await writeVdi(at("b.vdi"), image(B, C));
  await writeVdi(at("c.vdi"), image(C, A));
  for (const name of ["self.vdi", "a.vdi", "b.vdi", "c.vdi"]) {
    await t.rejects(openChain(at(name)), { name: "CorruptError", message: /the chain is a loop/ });
  }
});

t.test("a parent that was written to later is one warning", async (t) => {
  const folder = t.testdir();
  await writeVdi(join(folder, "a.vdi"), image(A, undefined, { modification: D }));
  await writeVdi(join(folder, "b.vdi"), image(B, A));
  await opened(join(folder, "b.vdi"), ({ warnings }) => {
    t.equal(warnings.length, 1);
    t.match(warnings[0], /b\.vdi: its parent .*a\.vdi was written to after this image was made on it/);
  });
});

t.test("of copies with one UUID, the one that was not written to is the parent", async (t) => {
  const folder = t.testdir();
  const at = (name: string) => join(folder, name);
  await writeVdi(at("a-1.vdi"), image(A, undefined, { modification: C }));
  await writeVdi(at("a-2.vdi"), image(A, undefined, { modification: D }));
  await writeVdi(at("b.vdi"), image(B, A));
  await t.rejects(openChain(at("b.vdi")), {
    name: "MissingError",
    message: /several images may be its parent: .*a-1\.vdi; .*a-2\.vdi have its UUID/,
  });
  await writeVdi(at("z.vdi"), image(A));
  await copyFile(at("z.vdi"), at("z-copy.vdi"));
  await opened(at("b.vdi"), ({ layers, warnings }) => {
    t.match(layers[1]!.image.files[0].name, /z(-copy)?\.vdi$/);
    t.same(warnings, []);
  });
});

t.test("a symbolic link that leads outside is denied, unless its folder is allowed", async (t) => {
  const folder = t.testdir({ vm: {}, outside: {} });
  const child = join(folder, "vm/b.vdi");
  await writeVdi(child, image(B, A));
  for (const name of ["base.vdi", `{${A}}.vdi`]) {
    const link = join(folder, "vm", name);
    await writeVdi(join(folder, "outside", name), image(A));
    await symlink(join(folder, "outside", name), link);
    const hint = `allow it with --allow-dir ${JSON.stringify(join(folder, "outside"))}`;
    {
      const error = await failure(openChain(child));
      t.ok(error instanceof DeniedError);
      t.ok(error.message.includes(hint));
    }
    t.equal((await readAll(child, { allowDirs: [join(folder, "outside")] }))[0], 0x30);
  }
});

t.test("what is no file among an image's neighbours is passed over, whatever it is called", async (t) => {
  const [base, leaf] = (await chainOf(t, 2)) as [VdiState, VdiState];
  const folder = dirname(leaf.path);
  execFileSync("mkfifo", [join(folder, "a-pipe.vdi")]);
  makeSocket(join(folder, "a-socket.vdi"));
  await mkdir(join(folder, "a-folder.vdi"));
  await mkdir(join(folder, "m.vbox"));
  execFileSync("mkfifo", [join(folder, "n.vbox")]);
  for (const [name, target] of [
    ["a-device.vdi", "/dev/zero"],
    ["a-link-to-a-pipe.vdi", "a-pipe.vdi"],
    ["a-loop.vdi", "a-loop.vdi"],
    ["a-secret.vdi", "/etc/shadow"],
  ] as const) {
    await symlink(target, join(folder, name));
  }
  t.ok(await isRight(leaf));
  await rm(base.path);
  t.match(await failure(openChain(leaf.path, { findImages })), {
    name: "DeniedError",
    message: /--allow-dir/,
  });
});

t.test("an image outside, even of the right UUID, is not found through a folder link either", async (t) => {
  const folder = t.testdir({ vm: {}, outside: {} });
  await writeVdi(join(folder, "vm/b.vdi"), image(B, A));
  await writeVdi(join(folder, "outside/a.vdi"), image(A));
  await symlink(join(folder, "outside"), join(folder, "vm/Snapshots"));
  await t.rejects(openChain(join(folder, "vm/b.vdi")), MissingError);
});

t.test(
  "a registered image may lie anywhere, but only one that proves to be it by its own UUID",
  async (t) => {
    const folder = t.testdir({ vm: {}, outside: { secret: Buffer.alloc(4096, 1) } });
    const [child, base] = [join(folder, "vm/b.vdi"), join(folder, "outside/a.vdi")];
    await writeVdi(child, image(B, A));
    await writeVdi(base, image(A));
    await writeFile(join(folder, "vm/m.vbox"), vbox([B, "b.vdi"], [A, base]));
    t.equal((await readAll(child, { findImages }))[0], 0x30);
    const secret = join(folder, "outside/secret");
    await rm(base);
    await writeFile(join(folder, "vm/m.vbox"), vbox([B, "b.vdi"], [A, secret]));
    await t.rejects(openChain(child, { findImages }), {
      name: "DeniedError",
      message: /^parent of .*b\.vdi: .*secret: .*--allow-dir/,
    });
    t.equal((await readAll(child, { findImages, allowDirs: [dirname(secret)] }))[0], 1);
    await rename(secret, join(folder, "vm/raw.img"));
    await writeFile(join(folder, "vm/m.vbox"), vbox([B, "b.vdi"], [A, "raw.img"]));
    t.equal((await readAll(child, { findImages }))[0], 1, "a raw base below the machine's folder");
  },
);

t.test("a parent of a format that is not read says so, in the child's name", async (t) => {
  const folder = t.testdir();
  await writeVdi(join(folder, "b.vdi"), image(B, A));
  execFileSync("qemu-img", ["create", "-q", "-f", "vmdk", join(folder, `{${A}}.vmdk`), "1M"]);
  {
    const error = await failure(openChain(join(folder, "b.vdi")));
    t.ok(error instanceof UnsupportedError);
    t.match(error.message, /^parent of .*b\.vdi: .*\.vmdk: VMDK files are not read yet/);
  }
});

t.test("a broken machine file is a warning, and nothing to a disk without parents", async (t) => {
  const states = await chainOf(t, 2);
  await writeFile(join(dirname(states[0]!.path), "m.vbox"), "<a");
  await opened(states[1]!.path, ({ warnings }) => t.match(warnings, [/it is ignored/]));
  await opened(states[0]!.path, ({ warnings }) => t.same(warnings, []));
});

t.test("naming an image that others are built on opens the state before them", async (t) => {
  const states = await chainOf(t, 3);
  await opened(states[1]!.path, ({ layers }) => t.equal(layers.length, 2));
  t.ok(await isRight(states[1]!));
});

t.test("250 images among a thousand other files open soon, and change nothing", async (t) => {
  const states = await chainOf(t, 250, (level) => `Snapshots/${(level * 7919) % 250}.vdi`);
  const folder = dirname(states[0]!.path);
  await mkdir(join(folder, "deeper"));
  for (let count = 0; count < 1000; count++) await writeFile(join(folder, `${count}.log`), "a log\n");
  const trace = () =>
    states
      .map(({ path }) => statSync(path))
      .map(({ mtimeMs, atimeMs, ctimeMs }) => [mtimeMs, atimeMs, ctimeMs]);
  const before = trace();
  const bytes = await Promise.all(states.map(({ path }) => readFile(path)));
  const start = performance.now();
  const beforeCount = openCount();
  const chain = await openChain(states[249]!.path);
  t.ok(performance.now() - start < 5000, `opened in ${Math.round(performance.now() - start)} ms`);
  t.equal(chain.layers.length, 250);
  await chain.close();
  t.equal(openCount(), beforeCount);
  t.ok(await isRight(states[249]!));
  t.ok(await isRight(states[120]!));
  t.equal(
    (await Promise.all(states.map(({ path }) => readFile(path)))).every((now, at) => now.equals(bytes[at]!)),
    true,
  );
  t.same(
    trace().map(([mtime, , ctime]) => [mtime, ctime]),
    before.map(([mtime, , ctime]) => [mtime, ctime]),
  );
});

t.test("a chain without end is refused", async (t) => {
  const folder = t.testdir();
  const uuid = (level: number) => `${String(level).padStart(8, "0")}-1111-2222-3333-444444444444`;
  for (let level = 1; level <= 1001; level++) {
    await writeVdi(join(folder, `${level}.vdi`), image(uuid(level), uuid(level + 1)));
  }
  const before = openCount();
  await t.rejects(openChain(join(folder, "1.vdi")), { name: "UnsupportedError", message: /1000 at most/ });
  t.equal(openCount(), before);
});

/** Chains of VHDs: how parents are found, by what they are proved, and what the chain then reads. */
import { execFileSync } from "node:child_process";
import { mkdirSync, utimesSync } from "node:fs";
import { copyFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import t from "tap";
import { openChain } from "../../../src/image/chain.js";
import { openImageAt } from "../../../src/image/formats.js";
import { readAll } from "../image.js";
import { random, type Random } from "../random.js";
import { writeVdi } from "../vdi/builder.js";
import {
  buildVhd,
  DEFAULT_ID,
  mendHeader,
  utf16be,
  utf16le,
  writeVhd,
  type VhdBlock,
  type VhdParent,
} from "./builder.js";

const KIB = 2 ** 10;
const BLOCK = 16 * KIB;
const CHILD_ID = "ffeeddccbbaa99887766554433221100";
/** Seconds from 1970 to 2000. */
const EPOCH = 946_684_800;

/** Writes a base that is filled with `value`; its file's time is `modified`, in seconds since 2000. */
async function writeBase(path: string, value: number, modified = 1000, id = DEFAULT_ID): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  await writeVhd(path, { diskSize: BLOCK, data: Buffer.alloc(BLOCK, value), id });
  utimesSync(path, EPOCH + modified, EPOCH + modified);
}

/** Writes a child that stores nothing itself. */
async function writeChild(path: string, parent: VhdParent): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  await writeVhd(path, {
    diskSize: BLOCK,
    blockSize: BLOCK,
    id: CHILD_ID,
    parent: { id: DEFAULT_ID, ...parent },
  });
}

/** The first byte of the chain at `path`, and what is said about it. */
async function opened(
  path: string,
  allowDirs: string[] = [],
): Promise<{ byte: number; warnings: readonly string[] }> {
  const chain = await openChain(path, { allowDirs });
  await chain.close();
  return { byte: (await readAll(path, { allowDirs }))[0]!, warnings: chain.warnings };
}

const url = (path: string): Buffer => Buffer.from(`file://localhost${encodeURI(path)}`);

t.test("a parent is found by each locator and by its name, where nothing else leads to it", async (t) => {
  const folder = t.testdir();
  const vm = join(folder, "vm");
  const child = join(vm, "child.vhd");
  // None of these folders is searched for UUIDs: only the path leads there.
  const base = join(vm, "deep", "er", "bäse ü.vhd");
  await writeBase(base, 7);
  const ways: [string, VhdParent][] = [
    ["relative", { locators: [{ platform: "W2ru", data: utf16le(".\\deep\\er\\bäse ü.vhd") }] }],
    [
      "relative, of a host with slashes",
      { locators: [{ platform: "W2ru", data: utf16le("deep/er/bäse ü.vhd\0junk") }] },
    ],
    ["absolute", { locators: [{ platform: "W2ku", data: utf16le(base) }] }],
    ["a file's URL", { locators: [{ platform: "MacX", data: url(base) }] }],
    [
      "old relative",
      { locators: [{ platform: "Wi2r", data: Buffer.from("deep\\er\\b\xe4se \xfc.vhd\0", "latin1") }] },
    ],
    [
      "old absolute",
      { locators: [{ platform: "Wi2k", data: Buffer.from(`${vm}/deep/er/b\xe4se \xfc.vhd`, "latin1") }] },
    ],
    ["name", { name: "deep/er/bäse ü.vhd" }],
    [
      "behind others that lead nowhere",
      {
        name: "nothing.vhd",
        locators: [
          { platform: "Mac ", data: Buffer.alloc(60, 0xee) },
          { platform: "W2ru", data: utf16le("..\\nothing.vhd") },
          { platform: "W2ku", data: utf16le("C:\\nowhere\\nothing.vhd") },
          { platform: "W2ku", data: utf16le("\\\\?\\Volume{0011}\\nothing.vhd") },
          { platform: "MacX", data: Buffer.from("file://localhost/%zz") },
          { platform: "MacX", data: url(base) },
        ],
      },
    ],
  ];
  for (const [way, parent] of ways) {
    await writeChild(child, { modified: 1000, ...parent });
    t.same(await opened(child), { byte: 7, warnings: [] }, way);
  }
});

t.test("a parent beside the child is found by the last part of any path", async (t) => {
  const folder = t.testdir();
  const child = join(folder, "child.vhd");
  // A raw image has no UUID: only its name leads to it.
  await writeFile(join(folder, "base.img"), Buffer.alloc(BLOCK, 0xf7));
  const names: VhdParent[] = [
    { name: "base.img" },
    { name: "C:\\Hyper-V\\Disks\\base.img" },
    { name: utf16le("D:\\base.img") }, // in the wrong byte order
    { locators: [{ platform: "W2ku", data: utf16le("C:\\Hyper-V\\base.img") }] },
    { locators: [{ platform: "W2ku", data: utf16be("C:\\Hyper-V\\base.img") }] },
    { locators: [{ platform: "W2ku", data: utf16le("\\\\server\\share\\base.img") }] },
    { locators: [{ platform: "W2ru", data: utf16le("..\\elsewhere\\base.img") }] },
    { locators: [{ platform: "MacX", data: url("/Users/me/base.img") }] },
  ];
  for (const parent of names) {
    await writeChild(child, { id: "00".repeat(16), ...parent });
    t.same(await opened(child), { byte: 0xf7, warnings: [] });
  }
});

t.test(
  "a parent is found by its UUID, whatever it is called, and a wrong one is refused by what it is",
  async (t) => {
    const folder = t.testdir();
    const child = join(folder, "Snapshots", "child.avhd");
    await writeBase(join(folder, "renamed.bin"), 7);
    await writeBase(join(folder, "base.vhd"), 8, 1000, CHILD_ID.replace("00", "01"));
    await writeChild(child, {
      modified: 1000,
      locators: [{ platform: "W2ru", data: utf16le("..\\base.vhd") }],
    });
    t.same(await opened(child), { byte: 7, warnings: [] });
    await rename(join(folder, "renamed.bin"), `${folder}-renamed`);
    await t.rejects(openChain(child), {
      name: "MissingError",
      message: new RegExp(
        "its parent, the image {33221100-5544-7766-8899-aabbccddeeff}, was not found .*" +
          `at the recorded path: ${folder}/base.vhd is the image {ccddeeff-aabb-8899-7766-5544332211(00|01)}`,
      ),
    });
  },
);

t.test("a parent outside of the allowed folders needs --allow-dir", async (t) => {
  const folder = t.testdir();
  const child = join(folder, "vm", "child.vhd");
  await writeBase(join(folder, "other", "base.vhd"), 7);
  await writeChild(child, {
    modified: 1000,
    locators: [{ platform: "W2ru", data: utf16le("..\\other\\base.vhd") }],
  });
  await t.rejects(openChain(child), {
    name: "DeniedError",
    message: /^parent of .*child\.vhd: .*--allow-dir/,
  });
  t.same(await opened(child, [join(folder, "other")]), { byte: 7, warnings: [] });
  // Without a UUID, a path shows no file of the host either.
  await writeChild(child, {
    id: "00".repeat(16),
    locators: [{ platform: "W2ku", data: utf16le("/etc/shadow") }],
  });
  await t.rejects(openChain(child), { name: "DeniedError", message: /--allow-dir/ });
});

t.test("the parent's time stamp tells whether it was written to", async (t) => {
  const folder = t.testdir();
  const child = join(folder, "child.vhd");
  const base = join(folder, "base.vhd");
  await writeChild(child, { modified: 5000, name: "base.vhd" });
  for (const [modified, isSaid] of [
    [5000, false],
    [5001.9, false],
    [4998.5, false],
    [4000, false],
    [5003, true],
    [9000, true],
  ] as const) {
    await writeBase(base, 7, modified);
    const { byte, warnings } = await opened(child);
    t.equal(byte, 7);
    t.equal(warnings.length, isSaid ? 1 : 0, String(modified));
    if (isSaid)
      t.match(
        warnings[0],
        /base\.vhd was written to after this image was made on it, unless its file was only copied \(it was last written to at 2000-01-01T0\d:.*, but 2000-01-01T01:23:20\.000Z was noted\)/,
      );
  }
  await writeChild(child, { modified: 0, name: "base.vhd" });
  t.same(await opened(child), { byte: 7, warnings: [] }, "0: it is not noted");
});

t.test(
  "of copies, the one of the right time is the parent; else the one at the noted path, and that is said",
  async (t) => {
    const folder = t.testdir();
    const child = join(folder, "child.vhd");
    await writeBase(join(folder, "a.vhd"), 1, 9000);
    await writeBase(join(folder, "base.vhd"), 2, 9000);
    await writeBase(join(folder, "z.vhd"), 3, 5000);
    await writeChild(child, { modified: 5000, name: "base.vhd" });
    t.same(await opened(child), { byte: 3, warnings: [] });
    await writeBase(join(folder, "z.vhd"), 3, 9000);
    const { byte, warnings } = await opened(child);
    t.equal(byte, 2);
    t.match(warnings, [
      /its parent is taken to be .*base\.vhd, since it lies where the image that is built on it says; .*(a|z)\.vhd; .*(a|z)\.vhd/,
      /was written to after/,
    ]);
  },
);

t.test("a UUID whose bytes the child has in the other order is that of the parent", async (t) => {
  const folder = t.testdir();
  await writeBase(join(folder, "base.vhd"), 7);
  const swapped = "33221100554477668899aabbccddeeff";
  await writeChild(join(folder, "child.vhd"), { id: swapped, modified: 1000, name: "base.vhd" });
  t.same(await opened(join(folder, "child.vhd")), { byte: 7, warnings: [] });
});

t.test("info tells a UUID in both byte orders, and the paths of the parent", async (t) => {
  const path = join(t.testdir(), "child.vhd");
  await writeChild(path, {
    modified: 1000,
    name: "base.vhd",
    locators: [
      { platform: "W2ru", data: utf16le(".\\base.vhd") },
      { platform: "Mac ", data: Buffer.alloc(30) },
    ],
  });
  const image = await openImageAt(path);
  const { details } = await image.layer();
  t.equal(image.identity?.uuid, "ccddeeff-aabb-8899-7766-554433221100", "as VirtualBox prints it");
  t.match(details, {
    creator: "win ",
    uuid: "ccddeeff-aabb-8899-7766-554433221100",
    uuidByMicrosoft: "ffeeddcc-bbaa-9988-7766-554433221100",
    created: "2019-01-05T10:40:00Z",
    blockSize: BLOCK,
    parentUuid: "33221100-5544-7766-8899-aabbccddeeff",
    parentUuidByMicrosoft: "00112233-4455-6677-8899-aabbccddeeff",
    parentModified: "2000-01-01T00:16:40Z",
    parentName: "base.vhd",
    "locator0 W2ru": ".\\base.vhd",
    "locator1 Mac ": "30 bytes that are no path",
  });
  await image.close();
  const info = execFileSync("vhdiinfo", [path], { encoding: "utf8" });
  for (const line of [
    /Identifier\s*: ffeeddcc-bbaa-/,
    /Parent identifier\s*: 00112233-4455-/,
    /Parent filename\s*: base\.vhd/,
  ])
    t.match(info, line, "libvhdi tells the same");
});

t.test("a differencing image that notes nothing about its parent, or nonsense, is an error", async (t) => {
  const folder = t.testdir();
  const path = join(folder, "child.vhd");
  await writeVhd(path, { diskSize: BLOCK, blockSize: BLOCK, type: 4 });
  await t.rejects(openChain(path), {
    name: "CorruptError",
    message:
      /byte 0x228: the parent UUID of this differencing VHD is 00000000-.*, but must be a UUID, or there must be a path/,
  });
  // Locators that lie nowhere: the UUID still leads to the parent.
  await writeBase(join(folder, "some.vhd"), 7);
  await writeChild(path, {
    modified: 1000,
    locators: [{ platform: "W2ru", data: utf16le("x"), offset: 2 ** 50 }],
  });
  t.same(await opened(path), { byte: 7, warnings: [] });
  for (const length of [0xffffffff, 0, 1]) {
    const file = buildVhd({
      diskSize: BLOCK,
      blockSize: BLOCK,
      parent: { id: DEFAULT_ID, modified: 1000, locators: [{ platform: "W2ru", data: utf16le("x") }] },
    });
    file.writeUInt32BE(length, 512 + 576 + 8);
    mendHeader(file, 512);
    await writeFile(path, file);
    t.same(await opened(path), { byte: 7, warnings: [] }, `a length of ${length}`);
  }
});

t.test("a dynamic image has no parent, whatever its header says", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  await writeVhd(path, { type: 3, diskSize: BLOCK, blockSize: BLOCK, parent: { id: DEFAULT_ID } });
  const { byte, warnings } = await opened(path);
  t.equal(byte, 0);
  t.match(warnings, [/a dynamic image has no parent, but this one names .*: it is ignored/]);
});

t.test("a loop of VHDs is an error", async (t) => {
  const folder = t.testdir();
  await writeVhd(join(folder, "a.vhd"), {
    diskSize: BLOCK,
    blockSize: BLOCK,
    id: CHILD_ID,
    parent: { id: DEFAULT_ID, name: "b.vhd" },
  });
  await writeVhd(join(folder, "b.vhd"), {
    diskSize: BLOCK,
    blockSize: BLOCK,
    parent: { id: CHILD_ID, name: "a.vhd" },
  });
  await t.rejects(openChain(join(folder, "a.vhd")), { name: "CorruptError", message: /the chain is a loop/ });
});

interface State {
  readonly path: string;
  readonly model: Buffer;
}

/** Writes a chain with blocks of all kinds: each image has another size than its parent where `isSteady` is false. */
async function writeChain(
  folder: string,
  numbers: Random,
  depth: number,
  isSteady: boolean,
  isClean = false,
): Promise<State[]> {
  const states: State[] = [];
  for (let level = 0; level < depth; level++) {
    const size = isSteady ? 40 * BLOCK : ((30 * BLOCK) / 512) * 512 + numbers.below(20 * 32) * 512;
    const model = Buffer.alloc(size);
    states.at(-1)?.model.copy(model);
    const blockSize = numbers.pick([4 * KIB, BLOCK, 64 * KIB]);
    const blocks = new Map<number, VhdBlock>();
    for (let block = 0; block * blockSize < size; block++) {
      if (numbers.chance(0.5)) continue;
      const data = numbers.bytes(blockSize);
      const sectors = blockSize / 512;
      const bitmap = Buffer.alloc(Math.ceil(sectors / 8));
      let isSet = numbers.chance(0.5);
      for (let sector = 0; sector < sectors; sector++) {
        if (numbers.chance(0.1)) isSet = !isSet;
        // What lies in a sector that was never written means nothing; 7-Zip complains about it.
        if (!isSet && isClean) data.fill(0, sector * 512, (sector + 1) * 512);
        if (!isSet) continue;
        bitmap[sector >> 3]! |= 0x80 >> (sector & 7);
        data.copy(model, block * blockSize + sector * 512, sector * 512, (sector + 1) * 512);
      }
      blocks.set(block, { data, bitmap });
    }
    const id = numbers.bytes(16).toString("hex");
    const path = join(folder, `level-${level}.vhd`);
    const parent =
      level === 0
        ? undefined
        : { id: ids.get(states.at(-1)!)!, modified: 1000, name: `level-${level - 1}.vhd` };
    await writeVhd(path, {
      diskSize: size,
      blockSize,
      blocks,
      order: numbers.shuffle([...blocks.keys()]),
      id,
      ...(parent && { parent }),
    });
    utimesSync(path, EPOCH + 1000, EPOCH + 1000);
    const state = { path, model };
    ids.set(state, id);
    states.push(state);
  }
  return states;
}
const ids = new WeakMap<State, string>();

t.test("a chain reads as its model in every state: partial blocks, odd sizes", async (t) => {
  const seed = Number(process.env["VDISK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  t.comment(`VDISK_SEED=${seed} repeats this`);
  const numbers = random(seed);
  for (let turn = 0; turn < 6; turn++) {
    for (const { path, model } of await writeChain(t.testdir(), numbers, 5, turn % 2 === 0))
      t.ok((await readAll(path)).equals(model), path);
  }
});

t.test("7-Zip reads the same in a chain of two", async (t) => {
  const folder = t.testdir();
  for (const seed of [1, 2, 3]) {
    const [, child] = (await writeChain(folder, random(seed), 2, true, true)) as [State, State];
    const theirs = execFileSync("7zz", ["x", "-so", "-tvhd", child.path], {
      maxBuffer: 2 ** 24,
      stdio: ["ignore", "pipe", "ignore"],
    });
    t.ok(theirs.equals(await readAll(child.path)));
    t.ok(theirs.equals(child.model));
  }
});

t.test(
  "a VDI on a VHD, and a VHD on a VDI: all images of VirtualBox have UUIDs in one byte order",
  async (t) => {
    const folder = t.testdir();
    const numbers = random(5);
    const [low, middle, high] = ["low.vhd", "middle.vdi", "high.vhd"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const bytes = numbers.bytes(256 * KIB);
    await writeVhd(low, { diskSize: bytes.length, data: bytes });
    const ofVdi = numbers.bytes(128 * KIB);
    await writeVdi(middle, {
      type: 4,
      diskSize: 256 * KIB,
      blockSize: 128 * KIB,
      blocks: new Map([[1, ofVdi]]),
      uuid: "ccddeeff-aabb-8899-7766-554433221100",
      parentUuid: "33221100-5544-7766-8899-aabbccddeeff",
    });
    const sector = numbers.bytes(512);
    const bitmap = Buffer.alloc(4);
    bitmap[2] = 0x20; // the nineteenth sector
    const block = Buffer.alloc(BLOCK);
    sector.copy(block, 18 * 512);
    await writeVhd(high, {
      diskSize: 256 * KIB,
      blockSize: BLOCK,
      blocks: new Map([[9, { data: block, bitmap }]]),
      id: "0102030405060708090a0b0c0d0e0f10",
      parent: { id: CHILD_ID },
    });
    const model = Buffer.concat([bytes.subarray(0, 128 * KIB), ofVdi]);
    t.ok((await readAll(middle)).equals(model));
    sector.copy(model, 9 * BLOCK + 18 * 512);
    t.ok((await readAll(high)).equals(model));
  },
);

t.test("a child of a raw image, which has no UUID, finds it by its path", async (t) => {
  const folder = t.testdir();
  const child = join(folder, "child.vhd");
  await writeFile(join(folder, "base.raw"), Buffer.alloc(BLOCK, 0xf5));
  await writeChild(child, {
    id: "00".repeat(16),
    locators: [{ platform: "MacX", data: url(join(folder, "base.raw")) }],
  });
  t.same(await opened(child), { byte: 0xf5, warnings: [] });
});

t.test("a moved chain opens as before", async (t) => {
  const folder = t.testdir();
  const states = await writeChain(folder, random(9), 3, true);
  const moved = join(folder, "moved");
  mkdirSync(moved);
  for (const { path } of states) await copyFile(path, join(moved, path.slice(folder.length + 1)));
  for (const { path } of states) await rename(path, `${path}.gone`);
  const last = states.at(-1)!;
  t.ok((await readAll(join(moved, "level-2.vhd"))).equals(last.model));
});

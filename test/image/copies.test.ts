/** Several images with the same UUIDs: which is taken for the parent, and what is said. */
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { MissingError } from "../../src/errors.js";
import { read } from "../../src/extent/read.js";
import { openChain, openImages, type Chain } from "../../src/image/chain.js";
import type { FindImages } from "../../src/image/registry.js";
import { writeVdi } from "./vdi/builder.js";

const A = "aaaaaaaa-1111-4222-8333-444444444444";
const B = "bbbbbbbb-1111-4222-8333-444444444444";
const M = "cccccccc-1111-4222-8333-444444444444";
const BLOCK = 128 * 2 ** 10; // the smallest

/** A base whose disk is filled with `fill`: all of them have the same UUIDs. */
const base = async (path: string, fill: number, modification = M): Promise<void> => {
  mkdirSync(dirname(path), { recursive: true });
  const blocks = new Map([[0, Buffer.alloc(BLOCK, fill)]]);
  await writeVdi(path, { diskSize: BLOCK, blockSize: BLOCK, blocks, type: 1, uuid: A, modification });
};

const child = async (path: string, noted = M): Promise<void> => {
  mkdirSync(dirname(path), { recursive: true });
  const parent = { parentUuid: A, parentModification: noted };
  await writeVdi(path, {
    diskSize: BLOCK,
    blockSize: BLOCK,
    blocks: new Map(),
    type: 4,
    uuid: B,
    modification: B,
    ...parent,
  });
};

const aged = (path: string, seconds: number): void => {
  utimesSync(path, seconds, seconds);
};

interface Outcome {
  readonly fill: number;
  readonly warnings: readonly string[];
}

async function outcomeOf({ source, warnings }: Chain): Promise<Outcome> {
  return { fill: (await read(source, 0, 1))[0]!, warnings };
}

async function opened(path: string, findImages?: FindImages): Promise<Outcome> {
  const chain = await openChain(path, findImages === undefined ? {} : { findImages });
  try {
    return await outcomeOf(chain);
  } finally {
    await chain.close();
  }
}

const registry =
  (...paths: string[]): FindImages =>
  async () => ({
    folders: [],
    images: paths.map((path) => ({ path, uuid: A })),
    warnings: [],
  });

/** Every order of names, so that no outcome hangs on one. */
const ORDERS = [
  ["1.vdi", "2.vdi", "3.vdi"],
  ["1.vdi", "3.vdi", "2.vdi"],
  ["2.vdi", "1.vdi", "3.vdi"],
  ["2.vdi", "3.vdi", "1.vdi"],
  ["3.vdi", "1.vdi", "2.vdi"],
  ["3.vdi", "2.vdi", "1.vdi"],
] as const;

async function eachOrder(
  t: Test,
  check: (folder: string, names: readonly [string, string, string]) => Promise<void>,
): Promise<void> {
  for (const [index, names] of ORDERS.entries()) {
    const folder = join(t.testdirName, String(index));
    mkdirSync(folder, { recursive: true });
    await check(folder, names);
  }
}

t.test("the registered one is taken, whatever the names, places and ages", async (t) => {
  t.testdir();
  await eachOrder(t, async (folder, [right, wrong, other]) => {
    const leaf = join(folder, "Snapshots/leaf.vdi");
    await child(leaf);
    const registered = join(folder, right);
    await base(registered, 1);
    await base(join(folder, "Snapshots", wrong), 2);
    await base(join(folder, `{${A}} ${other}`), 3);
    aged(registered, 1000);
    const { fill, warnings } = await opened(leaf, registry(registered));
    t.equal(fill, 1);
    t.equal(warnings.length, 1);
    t.match(
      warnings[0],
      /leaf\.vdi: its parent is taken to be .*, since it is registered with the machine; these have its UUIDs and other contents: /,
    );
    for (const name of [wrong, other]) t.ok(warnings[0]!.includes(name), name);
  });
});

t.test("of several registered places the first counts", async (t) => {
  t.testdir();
  await eachOrder(t, async (folder, [right, wrong]) => {
    await child(join(folder, "leaf.vdi"));
    await base(join(folder, right), 1);
    await base(join(folder, wrong), 2);
    t.match(await opened(join(folder, "leaf.vdi"), registry(join(folder, right), join(folder, wrong))), {
      fill: 1,
      warnings: [/since it is registered/],
    });
  });
});

t.test(
  "the one in the child's own folder is taken before others, and one that has the UUID in its name",
  async (t) => {
    t.testdir();
    await eachOrder(t, async (folder, [right, wrong, other]) => {
      const leaf = join(folder, "Snapshots/leaf.vdi");
      await child(leaf);
      await base(join(folder, "Snapshots", right), 1);
      await base(join(folder, wrong), 2);
      aged(join(folder, "Snapshots", right), 1000);
      t.match(await opened(leaf), {
        fill: 1,
        warnings: [/since it lies in the folder of the image that is built on it/],
      });
      await base(join(folder, "Snapshots", `${other.replace(".vdi", "")} {${A}}.vdi`), 3);
      aged(join(folder, "Snapshots", `${other.replace(".vdi", "")} {${A}}.vdi`), 900);
      t.match(await opened(leaf), { fill: 3, warnings: [/since it has the UUID in its name/] });
    });
  },
);

t.test("the newest is taken where nothing else tells, and none where not even that does", async (t) => {
  t.testdir();
  await eachOrder(t, async (folder, [right, wrong, other]) => {
    const leaf = join(folder, "leaf.vdi");
    await child(leaf);
    await base(join(folder, right), 1);
    await base(join(folder, wrong), 2);
    await base(join(folder, other), 3);
    aged(join(folder, right), 3000);
    aged(join(folder, wrong), 2000);
    aged(join(folder, other), 1000);
    t.match(await opened(leaf), { fill: 1, warnings: [/since it was written to last/] });
    for (const name of [wrong, other]) aged(join(folder, name), 3000);
    await t.rejects(opened(leaf), {
      name: "MissingError",
      message: /several images may be its parent: .* their contents differ, and nothing tells/,
    });
  });
});

t.test("the same holds where no candidate is as it was when the child was made", async (t) => {
  t.testdir();
  await eachOrder(t, async (folder, [right, wrong]) => {
    const leaf = join(folder, "leaf.vdi");
    await child(leaf, B);
    await base(join(folder, right), 1);
    await base(join(folder, wrong), 2);
    aged(join(folder, wrong), 1000);
    t.match(await opened(leaf), {
      fill: 1,
      warnings: [/since it was written to last/, /was written to after this image/],
    });
  });
});

t.test("copies with the same contents are nothing to be told of", async (t) => {
  const folder = t.testdir();
  await child(join(folder, "leaf.vdi"));
  await base(join(folder, "1.vdi"), 1);
  copyFileSync(join(folder, "1.vdi"), join(folder, "2.vdi"));
  t.same(await opened(join(folder, "leaf.vdi")), { fill: 1, warnings: [] });
  const longer = Buffer.concat([readFileSync(join(folder, "1.vdi")), Buffer.alloc(1)]);
  writeFileSync(join(folder, "2.vdi"), longer);
  aged(join(folder, "2.vdi"), 1000);
  t.match(await opened(join(folder, "leaf.vdi")), { warnings: [/2\.vdi/] });
});

t.test("large copies of which only a part was compared are said to differ perhaps", async (t) => {
  const folder = t.testdir();
  await child(join(folder, "leaf.vdi"));
  await base(join(folder, "1.vdi"), 1);
  const large = Buffer.alloc(33 * 2 ** 20);
  readFileSync(join(folder, "1.vdi")).copy(large);
  for (const name of ["1.vdi", "2.vdi"]) writeFileSync(join(folder, name), large);
  aged(join(folder, "1.vdi"), 1000);
  t.match(await opened(join(folder, "leaf.vdi")), {
    warnings: [/2\.vdi, since it was written to last; these have its UUIDs, and perhaps other contents/],
  });
});

t.test("an image that the user named is not the parent of others for that", async (t) => {
  const folder = t.testdir();
  const leaf = join(folder, "Snapshots/leaf.vdi");
  await child(leaf);
  await base(join(folder, "machine.vdi"), 1);
  await base(join(folder, "another.vdi"), 2);
  const images = openImages({ findImages: registry(join(folder, "machine.vdi"), leaf) });
  t.teardown(() => images.close());
  t.equal((await outcomeOf(await images.chain(join(folder, "another.vdi")))).fill, 2);
  t.match(await outcomeOf(await images.chain(leaf)), { fill: 1, warnings: [/another\.vdi/] });
});

t.test("an image that comes later is found by the same disk", async (t) => {
  const folder = t.testdir();
  const leaf = join(folder, "leaf.vdi");
  await child(leaf);
  await child(join(folder, "twin.vdi"));
  await base(join(folder, "base.vdi"), 1);
  const images = openImages();
  t.teardown(() => images.close());
  t.equal((await outcomeOf(await images.chain(leaf))).fill, 1);
  const [C, D] = ["dddddddd-1111-4222-8333-444444444444", "eeeeeeee-1111-4222-8333-444444444444"];
  const later = { diskSize: BLOCK, blockSize: BLOCK, type: 4 } as const;
  await writeVdi(join(folder, "later.vdi"), {
    ...later,
    blocks: new Map([[0, Buffer.alloc(BLOCK, 7)]]),
    uuid: C,
    modification: C,
    parentUuid: A,
    parentModification: M,
  });
  await writeVdi(join(folder, "last.vdi"), {
    ...later,
    blocks: new Map(),
    uuid: D,
    modification: D,
    parentUuid: C,
    parentModification: C,
  });
  t.equal((await outcomeOf(await images.chain(join(folder, "last.vdi")))).fill, 7);
});

t.test("nothing is left open, whatever comes of the search", async (t) => {
  const folder = t.testdir();
  const count = (): number => readdirSync("/proc/self/fd").length;
  await child(join(folder, "leaf.vdi"));
  for (let index = 0; index < 30; index++) {
    await writeVdi(join(folder, `${index}.vdi`), {
      diskSize: BLOCK,
      blockSize: BLOCK,
      blocks: new Map(),
      type: 1,
      uuid: `${String(index).padStart(8, "0")}-1111-4222-8333-444444444444`,
      modification: M,
    });
  }
  const before = count();
  await t.rejects(opened(join(folder, "leaf.vdi")), MissingError);
  t.equal(count(), before);
  await base(join(folder, "base.vdi"), 1);
  const chain = await openChain(join(folder, "leaf.vdi"));
  t.equal(count(), before + 2, "the chain's own images are open, and no others");
  await chain.close();
  t.equal(count(), before);
  rmSync(folder, { recursive: true });
});

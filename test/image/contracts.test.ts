/**
 * What the contracts of image formats promise beyond what VDI needs: an image of several files, opened through the gate;
 * internal snapshots; parents that are known by path and format only. A toy format (toy.ts) has all of it.
 */
import { renameSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { CorruptError, MissingError } from "../../src/errors.js";
import { read } from "../../src/extent/read.js";
import { openChain, openImages } from "../../src/image/chain.js";
import { raw } from "../../src/image/raw.js";
import { SECTOR, toyFormat, writeFiles } from "./toy.js";

const formats = [toyFormat(), raw];

function folderOf(t: { testdir(): string }, files: Record<string, string | number>): string {
  const folder = t.testdir();
  writeFiles(folder, files);
  return folder;
}

/** The first byte of each sector of the chain at `path`. */
async function sectorsOf(path: string, allowDirs: string[] = []): Promise<number[]> {
  const chain = await openChain(path, { formats, allowDirs });
  try {
    const bytes = await read(chain.source, 0, chain.source.size);
    return Array.from({ length: bytes.length / SECTOR }, (_, sector) => bytes[sector * SECTOR]!);
  } finally {
    await chain.close();
  }
}

t.test(
  "an image of several files opens them through the gate, which is there before the image",
  async (t) => {
    const folder = folderOf(t, {
      "vm/disk.toy": "TOY\nstate now\nfile a\nfile parts/b",
      "vm/outside.toy": "TOY\nstate now\nfile a\nfile ../c",
      "vm/gone.toy": "TOY\nstate now\nfile a\nfile nothing",
      "vm/a": 1,
      "vm/parts/b": 2,
      c: 3,
    });
    t.same(await sectorsOf(join(folder, "vm/disk.toy")), [1, 2]);
    await t.rejects(sectorsOf(join(folder, "vm/outside.toy")), {
      name: "DeniedError",
      message: /c: this file is named by an image but lies outside.*--allow-dir/,
    });
    t.same(await sectorsOf(join(folder, "vm/outside.toy"), [folder]), [1, 3]);
    await t.rejects(sectorsOf(join(folder, "vm/gone.toy")), {
      name: "MissingError",
      message: /^a file of .*vm\/gone\.toy: .*vm\/nothing: no such file/,
    });
  },
);

t.test("each internal snapshot is a state of its own, and a chain of it shares the image", async (t) => {
  const folder = folderOf(t, {
    "disk.toy": "TOY\nstate now\nfile a\nabsent\nstate before\nfile b\nabsent\nparent base.img raw same",
    a: 1,
    b: 2,
  });
  await writeFile(join(folder, "base.img"), Buffer.alloc(2 * SECTOR, 0xf9));
  const images = openImages({ formats });
  t.teardown(() => images.close());
  const path = join(folder, "disk.toy");
  const [now, before, again] = [
    await images.chain(path),
    await images.chain(path, "before"),
    await images.chain(path, "now"),
  ];
  for (const [chain, byte] of [
    [now, 1],
    [before, 2],
  ] as const) {
    const bytes = await read(chain.source, 0, 2 * SECTOR);
    t.same([bytes[0], bytes[SECTOR]], [byte, 0xf9]);
  }
  t.equal(before.layers[0]!.image, now.layers[0]!.image, "the image is open once");
  t.equal(again.layers[0], now.layers[0], "a state is one layer");
  t.equal(before.layers[1], now.layers[1], "the parent is open once");
  await t.rejects(images.chain(path, "nonsense"), MissingError);
  t.equal((await images.chain(path)).layers[0], now.layers[0], "what failed harms nothing");
});

t.test("a parent is found by its path, relative or absolute, and where the chain was moved", async (t) => {
  const folder = folderOf(t, { "base/base.img": 0xf9, "vm/base.img": 0xf8, "vm/deep/base.img": 0xf7 });
  const parents = [
    ["../base/base.img", 0xf9],
    [join(folder, "base/base.img"), 0xf9],
    ["deep/base.img", 0xf7],
    ["deep\\base.img", 0xf7],
    // Not there any more, or on another host: beside the child.
    ["/nowhere/base.img", 0xf8],
    ["C:\\Users\\me\\base.img", 0xf8],
    ["\\\\server\\share\\base.img", 0xf8],
  ] as const;
  for (const [parent, byte] of parents) {
    const path = join(folder, "vm/child.toy");
    await writeFile(path, `TOY\nstate now\nabsent\nparent ${parent} raw same`);
    t.same(await sectorsOf(path, [folder]), [byte], parent);
  }
});

t.test(
  "the format that the child names is the only one that is tried: a raw parent may look like another",
  async (t) => {
    const folder = folderOf(t, {
      "raw.toy": "TOY\nstate now\nabsent\nparent base raw same",
      "toy.toy": "TOY\nstate now\nabsent\nparent base toy same",
      base: "",
      a: 5,
    });
    const text = "TOY\nstate now\nfile a\n";
    await writeFile(
      join(folder, "base"),
      Buffer.concat([Buffer.from(text), Buffer.alloc(SECTOR, 0)]).subarray(0, SECTOR),
    );
    t.same(await sectorsOf(join(folder, "raw.toy")), ["T".charCodeAt(0)]);
    t.same(await sectorsOf(join(folder, "toy.toy")), [5]);
  },
);

t.test(
  "a parent that was changed is said to be; another image, a missing and a forbidden one are errors",
  async (t) => {
    const child = (parent: string, match: string): string =>
      `TOY\nstate now\nabsent\nparent ${parent} raw ${match}`;
    const folder = folderOf(t, {
      "vm/changed.toy": child("base.img", "changed"),
      "vm/different.toy": child("base.img", "different"),
      "vm/missing.toy": child("nothing.img", "same"),
      "vm/outside.toy": child("../secret.img", "same"),
      "vm/base.img": 0xf9,
      "secret.img": 0xf9,
    });
    const chain = await openChain(join(folder, "vm/changed.toy"), { formats });
    t.match(chain.warnings, [/base\.img was written to after this image was made on it/]);
    await chain.close();
    const missing = (name: string) => ({
      name: "MissingError",
      message: new RegExp(`its parent, the image ${name}, was not found`),
    });
    await t.rejects(sectorsOf(join(folder, "vm/different.toy")), missing("base.img"));
    await t.rejects(sectorsOf(join(folder, "vm/missing.toy")), missing("nothing.img"));
    await t.rejects(sectorsOf(join(folder, "vm/outside.toy")), {
      name: "DeniedError",
      message: /--allow-dir/,
    });
  },
);

t.test("a chain that is a loop by its paths is an error", async (t) => {
  const folder = folderOf(t, {
    "a.toy": "TOY\nstate now\nabsent\nparent b.toy toy same",
    "b.toy": "TOY\nstate now\nabsent\nparent a.toy toy same",
  });
  await t.rejects(sectorsOf(join(folder, "a.toy")), CorruptError);
});

const A = "aaaaaaaa-1111-4222-8333-444444444444";
const B = "bbbbbbbb-1111-4222-8333-444444444444";
const M = "cccccccc-1111-4222-8333-444444444444";
const N = "dddddddd-1111-4222-8333-444444444444";

t.test("a child may be built on an internal snapshot of its parent", async (t) => {
  const child = (state: string): string =>
    `TOY\nstate now\nabsent\nparent base.toy toy same\nparent-state ${state}`;
  const folder = folderOf(t, {
    "now.toy": child("now"),
    "before.toy": child("before"),
    "never.toy": child("never"),
    "base.toy": "TOY\nstate now\nfile a\nstate before\nfile b",
    a: 1,
    b: 2,
  });
  t.same(await sectorsOf(join(folder, "now.toy")), [1]);
  t.same(await sectorsOf(join(folder, "before.toy")), [2]);
  await t.rejects(sectorsOf(join(folder, "never.toy")), {
    name: "MissingError",
    message: /parent of .*never\.toy: .*base\.toy: no internal snapshot "never"; there are: "before"/,
  });
  const images = openImages({ formats });
  t.teardown(() => images.close());
  const [now, before] = [
    await images.chain(join(folder, "now.toy")),
    await images.chain(join(folder, "before.toy")),
  ];
  t.equal(now.layers[1]!.image, before.layers[1]!.image, "the parent is open once");
  t.not(now.layers[1], before.layers[1]);
});

t.test("the states of one image may be built on each other", async (t) => {
  const folder = folderOf(t, {
    "bundle.toy":
      "TOY\nstate now\non second\nabsent\nabsent\nfile c\nstate second\non first\nabsent\nfile b\nabsent\nstate first\nfile a\nfile a\nfile a",
    "loop.toy": "TOY\nstate now\non other\nabsent\nstate other\non now\nabsent",
    "lost.toy": "TOY\nstate now\non nothing\nabsent",
    a: 1,
    b: 2,
    c: 3,
  });
  t.same(await sectorsOf(join(folder, "bundle.toy")), [1, 2, 3]);
  const chain = await openChain(join(folder, "bundle.toy"), { formats }, "second");
  t.equal(chain.layers.length, 2);
  t.equal((await read(chain.source, 2 * SECTOR, 1))[0], 1);
  await chain.close();
  await t.rejects(sectorsOf(join(folder, "loop.toy")), CorruptError);
  await t.rejects(sectorsOf(join(folder, "lost.toy")), MissingError);
});

t.test("one file may be a raw parent of one image, and an image itself", async (t) => {
  const text = "TOY\nstate now\nfile a\n";
  const folder = folderOf(t, {
    "child.toy": "TOY\nstate now\nabsent\nparent base raw same",
    "typed.toy": "TOY\nstate now\nabsent\nparent base toy same",
    base: text + "\0".repeat(SECTOR - text.length),
    a: 5,
  });
  const images = openImages({ formats });
  t.teardown(() => images.close());
  const formatsOf = async (name: string): Promise<string[]> =>
    (await images.chain(join(folder, name))).layers.map(({ image }) => image.format);
  t.same(await formatsOf("child.toy"), ["toy", "raw"]);
  t.same(await formatsOf("base"), ["toy"]);
  t.same(await formatsOf("typed.toy"), ["toy", "toy"]);
  t.same(await formatsOf("child.toy"), ["toy", "raw"]);
});

t.test("a parent that another chain found is compared with this child's note, too", async (t) => {
  const child = (match: string): string =>
    `TOY\nstate now\nabsent\nparent base.toy toy ${match}\nparent-id ${A} ${M}`;
  const folder = folderOf(t, {
    "a.toy": child("same"),
    "b.toy": child("different"),
    "c.toy": child("changed"),
    "base.toy": `TOY\nid ${A} ${M}\nstate now\nfile a`,
    a: 1,
  });
  const images = openImages({ formats });
  t.teardown(() => images.close());
  await images.chain(join(folder, "a.toy"));
  await t.rejects(images.chain(join(folder, "b.toy")), MissingError);
  t.match((await images.chain(join(folder, "c.toy"))).warnings, [/was written to after/]);
});

t.test("an image without a UUID is known by what changes when it is written to", async (t) => {
  const child = (cid: string): string => `TOY\nstate now\nabsent\nparent base.toy toy id\nparent-id - ${cid}`;
  const folder = folderOf(t, {
    "fresh.toy": child("12345678"),
    "stale.toy": child("fffffffe"),
    "base.toy": `TOY\nid - 12345678\nstate now\nfile a`,
    a: 1,
  });
  const warningsOf = async (name: string): Promise<readonly string[]> => {
    const chain = await openChain(join(folder, name), { formats });
    await chain.close();
    return chain.warnings;
  };
  t.same(await warningsOf("fresh.toy"), []);
  t.match(await warningsOf("stale.toy"), [/base\.toy was written to .*12345678, but fffffffe was noted/]);
});

t.test("a file is opened once, whether by a path and a format or in the search for a UUID", async (t) => {
  const folder = folderOf(t, {
    "leaf.toy": `TOY\nstate now\nabsent\nparent base.img toy id\nparent-id ${A} ${M}`,
    "base.img": `TOY\nid ${A} ${M}\nstate now\nfile a`,
    "other.img": `TOY\nid ${B} ${M}\nstate now\nfile a`,
    a: 1,
  });
  const opened: string[] = [];
  const chain = await openChain(join(folder, "leaf.toy"), {
    formats: [toyFormat({ opened: (path) => opened.push(path) }), raw],
  });
  await chain.close();
  t.same(
    opened.sort(),
    ["base.img", "leaf.toy", "other.img"].map((name) => join(folder, name)),
  );
});

t.test("copies of an image are compared with all of their files", async (t) => {
  const text = `TOY\nid ${A} ${M}\nstate now\nfile a`;
  const folder = folderOf(t, {
    "leaf.toy": `TOY\nstate now\nabsent\nparent - - id\nparent-id ${A} ${M}`,
    "base.img": text,
    "Snapshots/base.img": text,
    a: 1,
    "Snapshots/a": 2,
  });
  const warningsOf = async (): Promise<readonly string[]> => {
    const chain = await openChain(join(folder, "leaf.toy"), { formats });
    await chain.close();
    return chain.warnings;
  };
  t.match(await warningsOf(), [/taken to be .*base\.img, .*have its UUIDs and other contents/]);
  writeFiles(folder, { "Snapshots/a": 1 });
  t.same(await warningsOf(), []);
});

t.test("a parent that is exchanged or written to between search and use does not go unnoticed", async (t) => {
  // More images than stay open: the parent, which is looked at last, is opened twice.
  const others = Array.from({ length: 260 }, (_, index) => {
    const uuid = B.replace("bbbbbbbb", index.toString(16).padStart(8, "0"));
    return [`${index}.img`, `TOY\nid ${uuid} ${M}\nstate now\nfile a`] as const;
  });
  const base = (modification: string): string => `TOY\nid ${A} ${modification}\nstate now\nfile a`;
  const folder = folderOf(t, {
    ...Object.fromEntries(others),
    "leaf.toy": `TOY\nstate now\nabsent\nparent - - id\nparent-id ${A} ${M}`,
    a: 1,
  });
  const chainWhile = async (act: () => void): Promise<readonly string[]> => {
    writeFiles(folder, { base: base(M), new: base(N) });
    let isDone = false;
    const compared = ({ identity }: { identity?: { uuid?: string } }): void => {
      if (isDone || identity?.uuid !== A) return;
      isDone = true;
      act();
    };
    const chain = await openChain(join(folder, "leaf.toy"), {
      formats: [toyFormat({ compared }), raw],
    });
    await chain.close();
    return chain.warnings;
  };
  t.same(await chainWhile(() => undefined), []);
  await t.rejects(
    chainWhile(() => {
      renameSync(join(folder, "new"), join(folder, "base"));
    }),
    { name: "CorruptError", message: /base: this image was replaced/ },
  );
  t.match(
    await chainWhile(() => {
      writeFiles(folder, { base: base(N) });
    }),
    [/base was written to after this image was made/],
  );
});

t.test("a named format that the parent does not have is an error that says so", async (t) => {
  const folder = folderOf(t, { "leaf.toy": "TOY\nstate now\nabsent\nparent base toy same", base: 1 });
  await t.rejects(sectorsOf(join(folder, "leaf.toy")), {
    name: "UnsupportedError",
    message: /parent of .*leaf\.toy: .*base: this is no disk image of the format .*must be toy/,
  });
});

/**
 * What the contracts of image formats promise beyond what VDI needs: an image of several files, opened through the gate;
 * internal snapshots; parents that are known by path and format only. A toy format has all of it: a text, in lines.
 */
import { writeFile } from "node:fs/promises";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { CorruptError, MissingError } from "../../src/errors.js";
import { append, type LayerExtent } from "../../src/extent/extent.js";
import { read } from "../../src/extent/read.js";
import { openChain, openImages } from "../../src/image/chain.js";
import type { Image, ImageFormat, Match, ParentReference } from "../../src/image/image.js";
import { raw } from "../../src/image/raw.js";
import type { Storage } from "../../src/storage/storage.js";

const SECTOR = 512;

/**
 * "TOY", then lines: `state NAME`, and for each sector of it, in order, `file NAME` or `absent`; `parent PATH FORMAT MATCH`.
 * Each file that is named holds one sector.
 */
const toy: ImageFormat = {
  name: "toy",
  probe: ({ head }) => head.toString("latin1", 0, 3) === "TOY",
  async open(file, gate) {
    const text = Buffer.alloc(file.size);
    await file.read(text, 0);
    const files: [Storage, ...Storage[]] = [file];
    const states = new Map<string, (Storage | "absent")[]>();
    let sectors: (Storage | "absent")[] = [];
    let parent: ParentReference | undefined;
    for (const [word, ...rest] of text
      .toString()
      .split("\n")
      .map((line) => line.split(" "))) {
      if (word === "state") states.set(rest[0]!, (sectors = []));
      else if (word === "absent") sectors.push("absent");
      else if (word === "file") {
        const part = await gate.open(join(dirname(file.location), rest[0]!)).catch(async (error: unknown) => {
          for (const other of files.slice(1)) await other.close();
          throw error;
        });
        files.push(part);
        sectors.push(part);
      } else if (word === "parent") {
        const [path, format, match] = rest as [string, string, Match];
        parent = { hints: [path], format, matches: () => match };
      }
    }
    const [first, ...others] = [...states.keys()].map((id) => ({ id, name: id }));
    const image: Image = {
      format: "toy",
      files,
      states: [first!, ...others],
      async layer(id = first!.id) {
        const found = states.get(id);
        if (found === undefined) throw new MissingError(`no state ${id}`);
        return {
          image,
          state: { id, name: id },
          size: found.length * SECTOR,
          variant: "toy",
          warnings: [],
          details: {},
          ...(parent && { parent }),
          async map(offset, length) {
            const extents: LayerExtent[] = [];
            for (let at = offset; at < offset + length;) {
              const sector = found[Math.floor(at / SECTOR)]!;
              const skip = at % SECTOR;
              const part = Math.min(SECTOR - skip, offset + length - at);
              if (sector === "absent") append(extents, { kind: "absent", length: part });
              else append(extents, { kind: "stored", storage: sector, offset: skip, length: part });
              at += part;
            }
            return extents;
          },
        };
      },
      async close() {
        for (const one of files) await one.close();
      },
    };
    return image;
  },
};

const formats = [toy, raw];

/** Writes files into a folder of the test: text, or a sector that is filled with a byte. */
async function folderOf(t: { testdir(): string }, files: Record<string, string | number>): Promise<string> {
  const folder = t.testdir();
  for (const [name, contents] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    await writeFile(
      join(folder, name),
      typeof contents === "string" ? contents : Buffer.alloc(SECTOR, contents),
    );
  }
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
    const folder = await folderOf(t, {
      "vm/disk.toy": "TOY\nstate now\nfile a\nfile parts/b",
      "vm/outside.toy": "TOY\nstate now\nfile a\nfile ../c",
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
  },
);

t.test("each internal snapshot is a state of its own, and a chain of it shares the image", async (t) => {
  const folder = await folderOf(t, {
    "disk.toy": "TOY\nstate now\nfile a\nabsent\nstate before\nfile b\nabsent\nparent base.img raw same",
    a: 1,
    b: 2,
    "base.img": Buffer.alloc(2 * SECTOR, 9).toString("latin1"),
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
  const folder = await folderOf(t, { "base/base.img": 0xf9, "vm/base.img": 0xf8, "vm/deep/base.img": 0xf7 });
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
    const folder = await folderOf(t, {
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
    const folder = await folderOf(t, {
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
  const folder = await folderOf(t, {
    "a.toy": "TOY\nstate now\nabsent\nparent b.toy toy same",
    "b.toy": "TOY\nstate now\nabsent\nparent a.toy toy same",
  });
  await t.rejects(sectorsOf(join(folder, "a.toy")), CorruptError);
});

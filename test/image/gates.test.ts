/** Which files an image may name, and which its machine's settings let in: a toy format (toy.ts) names them. */
import { join } from "node:path";
import t from "tap";
import { read } from "../../src/extent/read.js";
import { openChain } from "../../src/image/chain.js";
import type { ImageOptions } from "../../src/image/formats.js";
import { openImageAt } from "../../src/image/formats.js";
import { raw } from "../../src/image/raw.js";
import type { FindImages } from "../../src/image/registry.js";
import { SECTOR, toyFormat, writeFiles } from "./toy.js";

const formats = [toyFormat(), raw];
const A = "aaaaaaaa-1111-4222-8333-444444444444";
const B = "bbbbbbbb-1111-4222-8333-444444444444";

/** The first byte of each sector of the chain at `path`. */
async function sectorsOf(path: string, options: ImageOptions = {}): Promise<number[]> {
  const chain = await openChain(path, { formats, ...options });
  try {
    const bytes = await read(chain.source, 0, chain.source.size);
    return Array.from({ length: bytes.length / SECTOR }, (_, sector) => bytes[sector * SECTOR]!);
  } finally {
    await chain.close();
  }
}

/** A machine with these folders, and these images by path. */
const machine =
  (folders: string[], images: Record<string, string> = {}): FindImages =>
  () =>
    Promise.resolve({
      folders,
      images: Object.entries(images).map(([path, uuid]) => ({ path, uuid })),
      warnings: [],
    });

t.test("an image cannot show a file just because the machine's settings register it", async (t) => {
  const folder = t.testdir();
  const secret = join(folder, "etc/shadow");
  writeFiles(folder, {
    "etc/shadow": 0x55,
    "vm/base.img": `TOY\nid ${A} -\nstate now\nfile ${secret}`,
    "vm/leaf.toy": `TOY\nstate now\nabsent\nparent base.img toy same`,
    "vm/by-uuid.toy": `TOY\nstate now\nabsent\nparent - - id\nparent-id ${A} -`,
    "vm/own.toy": `TOY\nstate now\nfile ${secret}`,
  });
  const findImages = machine([join(folder, "vm")], { [secret]: B });
  for (const name of ["leaf.toy", "by-uuid.toy", "own.toy"]) {
    const path = join(folder, "vm", name);
    await t.rejects(sectorsOf(path, { findImages }), {
      name: "DeniedError",
      message: /etc\/shadow.*--allow-dir/,
    });
    t.same(await sectorsOf(path, { findImages, allowDirs: [join(folder, "etc")] }), [0x55], name);
  }
});

t.test("a leaf's own files may lie in the machine's folder, which is looked for only then", async (t) => {
  const folder = t.testdir();
  writeFiles(folder, {
    "vm/parts/a": 1,
    "vm/disks/leaf.toy": "TOY\nstate now\nfile ../parts/a",
    "vm/disks/near.toy": "TOY\nstate now\nfile near",
    "vm/disks/near": 2,
    "outside/a": 3,
    "vm/disks/outside.toy": "TOY\nstate now\nfile ../parts/a\nfile ../../outside/a\nfile ../../outside/a",
  });
  const asked: string[] = [];
  const findImages: FindImages = async (image) => {
    asked.push(image.path);
    return machine([join(folder, "vm")])(image);
  };
  const leaf = join(folder, "vm/disks/leaf.toy");
  await t.rejects(sectorsOf(leaf), { name: "DeniedError" });
  t.same(await sectorsOf(join(folder, "vm/disks/near.toy"), { findImages }), [2]);
  t.same(asked, []);
  t.same(await sectorsOf(leaf, { findImages }), [1]);
  t.same(asked, [leaf]);
  await t.rejects(sectorsOf(join(folder, "vm/disks/outside.toy"), { findImages }), { name: "DeniedError" });
  t.equal(asked.length, 2, "once for each image");
  const image = await openImageAt(leaf, { formats, findImages });
  t.equal(image.files.length, 2);
  await image.close();
});

t.test("a registered parent elsewhere may name files of its own folder, and no others", async (t) => {
  const folder = t.testdir();
  writeFiles(folder, {
    "other/a": 7,
    "other/base.toy": `TOY\nid ${A} -\nstate now\nfile a`,
    "third/b": 8,
    "other/far.toy": `TOY\nid ${B} -\nstate now\nfile ../third/b`,
    "vm/leaf.toy": `TOY\nstate now\nabsent\nparent - - id\nparent-id ${A} -`,
    "vm/far.toy": `TOY\nstate now\nabsent\nparent - - id\nparent-id ${B} -`,
  });
  const findImages = machine([], { [join(folder, "other/base.toy")]: A, [join(folder, "other/far.toy")]: B });
  t.same(await sectorsOf(join(folder, "vm/leaf.toy"), { findImages }), [7]);
  await t.rejects(sectorsOf(join(folder, "vm/far.toy"), { findImages }), {
    name: "DeniedError",
    message: /third\/b/,
  });
});

/** What chains of clusters may look like: in pieces, in circles, too short, too long, or one in another. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { CorruptError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { damaged } from "../../volume/support.js";
import { memorySource } from "../../../src/extent/runs.js";
import { fatDriver } from "../../../src/filesystem/fat/fat.js";
import { withFolder } from "../ext/support.js";
import { entry, FatBuilder, type Layout } from "./builder.js";
import {
  contentsAt,
  find,
  generator,
  namesIn,
  openBytes,
  randomBytes,
  sevenZip,
  shuffled,
  tool,
} from "./support.js";
import { listEntries } from "../../../src/filesystem/entries.js";

const LAYOUTS: readonly Layout[] = [
  { width: 12, clusterCount: 1000 },
  { width: 16, clusterCount: 5000, sectorsPerCluster: 2, rootEntries: 64 },
  { width: 16, clusterCount: 4100, sectorSize: 1024, fatCount: 1 },
  { width: 32, clusterCount: 66_000 },
  { width: 32, clusterCount: 65_600, sectorSize: 4096, fatCount: 1 },
];

const named = ({ width, sectorSize, sectorsPerCluster }: Layout): string =>
  `FAT${width} with clusters of ${(sectorSize ?? 512) * (sectorsPerCluster ?? 1)} bytes`;

for (const layout of LAYOUTS) {
  t.test(`${named(layout)}: random reads of a file in a thousand pieces are those of its bytes`, (t) =>
    withFolder(async (folder) => {
      const image = new FatBuilder(layout);
      const random = generator(layout.clusterCount);
      const clusters = shuffled(3, layout.clusterCount - 2, random);
      const count = 900;
      const model = randomBytes(image.clusterSize * count - 77, 5);
      image.put(model, clusters.slice(0, count));
      const other = randomBytes(3 * image.clusterSize, 6);
      image.put(other, clusters.slice(count, count + 3));
      image.root(entry("MODEL", { firstCluster: clusters[0]!, size: model.length, long: "the model" }));
      image.root(entry("OTHER", { firstCluster: clusters[count]!, size: other.length }));
      const path = join(folder, "image");
      writeFileSync(path, image.bytes);
      t.match(tool("fsck.fat", "-n", path), /2 files/, "fsck.fat finds nothing wrong");
      mkdirSync(join(folder, "out"));
      tool("7zz", "x", "-tfat", `-o${folder}/out`, path);
      t.equal(sevenZip(path, "fat").get("the model")!.size, model.length);
      t.ok(readFileSync(join(folder, "out", "the model")).equals(model), "7zz reads the same");

      const fs = await openBytes(image.bytes);
      t.same(fs.facts.warnings, []);
      const source = await fs.open((await find(fs, "the model"))!);
      let wrong = 0;
      for (let i = 0; i < 3000; i++) {
        const offset = random(model.length);
        const length = Math.min(model.length - offset, random(2 ** (1 + (i % 17))));
        const bytes = await read(source, offset, length);
        if (!bytes.equals(model.subarray(offset, offset + length))) wrong++;
      }
      t.equal(wrong, 0);
      t.same(await contentsAt(fs, "OTHER"), other);
      const { freeBlocks } = await fs.usage(fs.root);
      t.equal(freeBlocks, layout.clusterCount - count - 3 - (layout.width === 32 ? 1 : 0));
    }),
  );
}

/** How many bytes of "F" can be read, and what is said of the rest. */
async function readable(fs: FileSystem, name = "F"): Promise<[bytes: Buffer, problem: string]> {
  const source = await fs.open((await find(fs, name))!);
  let length = 0;
  let problem = "";
  for (const extent of await source.map(0, source.size)) {
    if (extent.kind === "damaged") {
      problem = extent.error.message;
      t.ok(extent.error instanceof CorruptError);
      break;
    }
    length += extent.length;
  }
  return [await read(source, 0, length), problem];
}

for (const width of [12, 16, 32] as const) {
  const clusterCount = { 12: 500, 16: 5000, 32: 6000 }[width];
  const mark = { 12: 0xff7, 16: 0xfff7, 32: 0x0ffffff7 }[width];
  const cases: [what: string, links: Record<number, number>, good: number, problem: RegExp][] = [
    [
      "ends too soon",
      {},
      4,
      /byte 0x[0-9a-f]+: the number of clusters of the file at .* is 4, but must be enough/,
    ],
    ["comes back to its start", { 13: 10 }, 4, /link from cluster 13 .* is a cluster before it/],
    ["comes back into its middle", { 13: 12 }, 4, /link from cluster 13 .* is a cluster before it/],
    ["stays where it is", { 13: 13 }, 4, /link from cluster 13 .* is a cluster before it/],
    ["is one cluster's loop", { 10: 10 }, 1, /link from cluster 10 .* is a cluster before it/],
    ["runs into free clusters", { 12: 100 }, 3, /mark of cluster 100, .* is free, but must be in use/],
    ["runs into a bad cluster", { 12: mark }, 2, /mark of cluster 12, .* is bad/],
    [
      "leaves the volume",
      { 12: clusterCount + 2 },
      3,
      new RegExp(`from cluster 12 .* is ${clusterCount + 2},`),
    ],
    ["has a link to cluster 1", { 11: 1 }, 2, /from cluster 11 .* is 1, /],
  ];
  for (const [what, links, good, problem] of cases) {
    t.test(
      `FAT${width}: a file whose chain ${what} is right up to there, and damaged from there on`,
      async (t) => {
        const image = new FatBuilder({ width, clusterCount });
        const contents = randomBytes(6 * 512 - 5, 3);
        image.put(contents.subarray(0, 4 * 512), [10, 11, 12, 13]);
        for (const [cluster, link] of Object.entries(links)) image.link(Number(cluster), link);
        image.root(entry("F", { firstCluster: 10, size: contents.length }));
        const [bytes, complaint] = await readable(await openBytes(image.bytes));
        t.ok(bytes.equals(contents.subarray(0, good * 512)), `${bytes.length} bytes`);
        t.match(complaint, problem);
      },
    );
  }
}

t.test("a chain that is longer than its file is no fault, even where it ends in a loop", async (t) => {
  const image = new FatBuilder({ width: 16, clusterCount: 5000 });
  const contents = randomBytes(1000, 3);
  image.put(contents, [10, 11, 12, 13]);
  image.link(13, 12);
  image.root(entry("F", { firstCluster: 10, size: contents.length }));
  t.same(await readable(await openBytes(image.bytes)), [contents, ""]);
});

t.test("a file without a first cluster, or with one that is none, is damaged from its start", async (t) => {
  const image = new FatBuilder({ width: 16, clusterCount: 5000 });
  for (const [name, firstCluster] of [
    ["A", 0],
    ["B", 1],
    ["C", 5002],
    ["D", 0xffff],
  ] as const)
    image.root(entry(name, { firstCluster, size: 10 }));
  image.root(entry("E", { firstCluster: 5002, size: 0 }));
  const fs = await openBytes(image.bytes);
  for (const name of ["A", "B", "C", "D"]) {
    const [bytes, problem] = await readable(fs, name);
    t.equal(bytes.length, 0);
    t.match(problem, /a cluster of .* is \d+, but must be from 2 to 5001/);
  }
  t.equal((await contentsAt(fs, "E")).length, 0);
});

t.test("of files that share clusters, the one whose length fits keeps them", async (t) => {
  const image = new FatBuilder({ width: 16, clusterCount: 5000 });
  const whole = randomBytes(4 * 512, 1);
  image.put(whole, [20, 21, 22, 23]);
  const broken = randomBytes(5 * 512, 2);
  image.put(broken, [30, 31]);
  image.link(31, 21); // 30, 31, 21, 22, 23: enough for it, and one cluster more
  image.root(entry("WHOLE", { firstCluster: 20, size: whole.length }));
  image.root(entry("F", { firstCluster: 30, size: 4 * 512 }));
  const fs = await openBytes(image.bytes);
  t.same(await readable(fs, "WHOLE"), [whole, ""]);
  const [bytes, problem] = await readable(fs);
  t.ok(bytes.equals(broken.subarray(0, 2 * 512)));
  t.match(problem, /cluster 21 of the file at 0x[0-9a-f]+ is in another file, too/);
});

t.test("where nothing tells whose a cluster is, it is damaged for all that have it", async (t) => {
  const image = new FatBuilder({ width: 32, clusterCount: 6000 });
  const contents = randomBytes(4 * 512, 1);
  image.put(contents, [20, 21, 22, 23]);
  image.put(contents.subarray(0, 1024), [30, 31]);
  image.link(31, 22);
  image.put(contents, [40, 41, 42, 43]);
  for (const [name, firstCluster] of [
    ["A", 20],
    ["B", 30],
    ["C", 40],
    ["D", 40],
  ] as const)
    image.root(entry(name, { firstCluster, size: contents.length }));
  const fs = await openBytes(image.bytes);
  for (const [name, good] of [
    ["A", 2],
    ["B", 2],
    ["C", 0],
    ["D", 0],
  ] as const) {
    const [bytes, problem] = await readable(fs, name);
    t.ok(bytes.equals(contents.subarray(0, good * 512)), name);
    t.match(
      problem,
      /is in another file, too, but must be in one file only; the FAT's chains are cross-linked/,
    );
  }
});

t.test("a directory whose chain is damaged lists what there is, and then says what is wrong", async (t) => {
  const image = new FatBuilder({ width: 16, clusterCount: 5000 });
  const slots = Array.from({ length: 48 }, (_, i) => entry(`FILE${i}`));
  image.put(Buffer.concat(slots), [10, 12, 14]);
  image.link(12, 10);
  image.root(entry("DIR", { attributes: 0x10, firstCluster: 10 }));
  image.root(entry("NOWHERE", { attributes: 0x10, firstCluster: 0 }));
  const fs = await openBytes(image.bytes);
  const dir = (await find(fs, "DIR"))!;
  const entries = await listEntries(fs, dir, 0);
  t.equal(entries.length, 32);
  await t.rejects(
    listEntries(fs, dir, entries.at(-1)!.cookie),
    /link from cluster 12 of the directory at .* is a cluster before/,
  );
  t.equal(await find(fs, "DIR/FILE31"), entries[31]!.id);
  await t.rejects(find(fs, "DIR/FILE40"), CorruptError);
  t.equal((await fs.attributes(dir)).size, 1024);
  await t.rejects(namesIn(fs, await find(fs, "NOWHERE")), CorruptError);
});

t.test("only the FAT that FAT32's flags name is read where the FATs are no mirrors", async (t) => {
  const image = new FatBuilder({ width: 32, clusterCount: 6000 });
  const contents = randomBytes(1536, 9);
  image.put(contents, [10, 20, 30]);
  image.root(entry("F", { firstCluster: 10, size: contents.length }));
  image.link(10, 11, [image.fatOffsets[0]!]);
  image.bytes.writeUInt16LE(0x81, 0x28);
  t.same(await contentsAt(await openBytes(image.bytes), "F"), contents);
  image.bytes.writeUInt16LE(0x85, 0x28); // there is no sixth
  const fs = await openBytes(image.bytes);
  t.match(fs.facts.warnings.join(), /names FAT 5 as the one in use/);
  t.match((await readable(fs))[1], /cluster 11/);
});

t.test("where the first FAT cannot be read, the second is", async (t) => {
  const image = new FatBuilder({ width: 16, clusterCount: 5000 });
  const contents = randomBytes(1536, 9);
  image.put(contents, [10, 20, 4000]);
  image.root(entry("F", { firstCluster: 10, size: contents.length }));
  const volume = damaged(memorySource(image.bytes, "image"), image.fatOffsets[0]!, 1024);
  const fs = (await fatDriver.open(volume))!;
  t.same(await contentsAt(fs, "F"), contents);
  t.equal((await fs.usage(fs.root)).freeBlocks, 4997);
  t.match(fs.facts.warnings.join(), /the FAT cannot be read/);
});

t.test("where no FAT can be read, a file is read as far as its links are known", async (t) => {
  const image = new FatBuilder({ width: 32, clusterCount: 60_000, fatCount: 1 });
  const contents = randomBytes(2048, 9);
  image.put(contents, [10, 11, 40_000, 12]);
  image.put(contents.subarray(0, 512), [50_000]);
  image.root(entry("F", { firstCluster: 10, size: contents.length }));
  image.root(entry("ONE", { firstCluster: 50_000, size: 512 }));
  const volume = damaged(memorySource(image.bytes, "image"), image.fatOffsets[0]! + 40_000 * 4, 1024);
  const fs = (await fatDriver.open(volume))!;
  const [bytes, problem] = await readable(fs);
  t.ok(bytes.equals(contents.subarray(0, 1536)));
  t.match(problem, /a cluster is lost/);
  t.same(await readable(fs, "ONE"), [contents.subarray(0, 512), ""], "its only link is not needed");
});

t.test("FATs that differ are told", async (t) => {
  const image = new FatBuilder({ width: 12, clusterCount: 500 });
  image.link(100, 101, [image.fatOffsets[1]!]);
  image.link(333, 334, [image.fatOffsets[1]!]);
  const { facts } = await openBytes(image.bytes);
  t.same(facts.warnings, ["the copies of the FAT differ in 2 of 502 entries; the first is used"]);
});

t.test("what FSInfo says of free clusters is not believed", async (t) => {
  const image = new FatBuilder({ width: 32, clusterCount: 6000 });
  image.bytes.writeUInt32LE(1, 512 + 488);
  const fs = await openBytes(image.bytes);
  t.match(await fs.usage(fs.root), { blockSize: 512, blocks: 6000, freeBlocks: 5999 });
});

t.test("a volume that is cut short gives what it has", async (t) => {
  const image = new FatBuilder({ width: 16, clusterCount: 5000 });
  const contents = randomBytes(2048, 4);
  image.put(contents, [10, 11, 4999, 12]);
  image.root(entry("F", { firstCluster: 10, size: contents.length }));
  const fs = await openBytes(image.bytes.subarray(0, image.offsetOf(4999) + 100));
  t.match(fs.facts.warnings, [/^the file system has \d+ bytes, but its volume only \d+$/]);
  const [bytes, problem] = await readable(fs);
  t.ok(bytes.equals(contents.subarray(0, 1124)));
  t.match(problem, /the volume is cut short/);
  const source = await fs.open((await find(fs, "F"))!);
  t.same(await read(source, 1536, 512), contents.subarray(1536), "what follows is there");
});

t.test("a root directory that is cut off is an error behind the names that are left", async (t) => {
  const image = new FatBuilder({ width: 12, clusterCount: 500 });
  for (let i = 0; i < 60; i++) image.root(entry(`F${i}`));
  const cut = await openBytes(image.bytes.subarray(0, image.rootOffset + 1024));
  const found = await listEntries(cut, cut.root, 0);
  t.equal(found.length, 32);
  await t.rejects(
    listEntries(cut, cut.root, found.at(-1)!.cookie),
    /the end of the root directory .* is cut short/,
  );
  t.equal(await find(cut, "F31"), found[31]!.id);
  await t.rejects(find(cut, "F32"), /the end of the root directory .* is cut short/);
  await t.rejects(find(cut, "NOWHERE"), CorruptError, "it may be behind the cut");
  const gone = await openBytes(image.bytes.subarray(0, image.rootOffset));
  await t.rejects(listEntries(gone, gone.root, 0), /the end of the root directory .* is cut short/);
  await t.rejects(find(gone, "F0"), CorruptError);
  const before = await openBytes(image.bytes.subarray(0, image.rootOffset - 512));
  await t.rejects(listEntries(before, before.root, 0), CorruptError);
});

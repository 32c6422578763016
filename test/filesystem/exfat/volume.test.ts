/** Boot regions, FATs and chains: whole, damaged, and in pairs. */
import t from "tap";
import { CorruptError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { memorySource } from "../../../src/extent/runs.js";
import { exfatDriver } from "../../../src/filesystem/exfat/exfat.js";
import { openFileSystem } from "../../../src/filesystem/filesystems.js";
import { contentsAt, find, namesIn, openBytes, randomBytes } from "../fat/support.js";
import { damaged } from "../../volume/support.js";
import { ExfatBuilder, fileSet, open, range } from "./builder.js";

t.test("the second FAT and the second bitmap are used where the volume says so", async (t) => {
  const image = new ExfatBuilder({ clusterCount: 300, fatCount: 2 });
  const contents = randomBytes(1536, 3);
  image.put(contents, [100, 200, 150]);
  image.root(fileSet("f", { firstCluster: 100, size: contents.length }));
  image.link(100, 101, [image.fatOffsets[0]!]);
  image.bytes[106] = 1;
  const fs = await open(image);
  t.same(await contentsAt(fs, "f"), contents);
  const used = (await fs.usage(fs.root)).blocks - (await fs.usage(fs.root)).freeBlocks;
  image.bytes.fill(0, image.offsetOf(2), image.offsetOf(3));
  const first = await openBytes(image.bytes, {}, exfatDriver);
  t.equal((await first.usage(first.root)).freeBlocks, 300 - used, "not in the first bitmap");
});

t.test("chains that are damaged are read up to there", async (t) => {
  const contents = randomBytes(4 * 512, 1);
  const cases: [links: Record<number, number>, good: number, RegExp][] = [
    [{ 103: 100 }, 4, /^$/],
    [{ 102: 100 }, 3, /link from cluster 102 .* is a cluster before it/],
    [{ 101: 0xffff_ffff }, 2, /number of clusters of the file at .* is 2/],
    [{ 101: 0xffff_fff7 }, 1, /mark of cluster 101, .* is bad/],
    [{ 101: 0 }, 1, /mark of cluster 101, .* is free/],
    [{ 100: 302 }, 1, /link from cluster 100 .* is 302, but must be .* up to 301/],
  ];
  for (const [links, good, complaint] of cases) {
    const image = new ExfatBuilder({ clusterCount: 300 });
    image.put(contents, range(100, 4));
    for (const [cluster, link] of Object.entries(links)) image.link(Number(cluster), link);
    image.root(fileSet("f", { firstCluster: 100, size: contents.length }));
    const fs = await open(image);
    const source = await fs.open((await find(fs, "f"))!);
    t.ok((await read(source, 0, good * 512)).equals(contents.subarray(0, good * 512)));
    if (good < 4) await t.rejects(read(source, good * 512, 1), complaint);
  }
  const image = new ExfatBuilder({ clusterCount: 300 });
  image.root(fileSet("f", { firstCluster: 300, size: 2048, isContiguous: true }));
  const fs = await open(image);
  const source = await fs.open((await find(fs, "f"))!);
  t.equal((await read(source, 0, 1024)).length, 1024);
  await t.rejects(read(source, 1024, 1), /a cluster of the file at .* is 302, but must be from 2 to 301/);
});

t.test("a valid length beyond the length, and a link where there are none, are complaints", async (t) => {
  const image = new ExfatBuilder({ clusterCount: 300 });
  image.root(fileSet("f", { firstCluster: 100, size: 512, validSize: 513 }));
  const fs = await open(image);
  await t.rejects(
    fs.open((await find(fs, "f"))!),
    /valid length of a file is 513, but must be at most 512, its length/,
  );
  await t.rejects(fs.readLink(fs.root), CorruptError);
});

t.test("the backup of the boot region serves where the first is damaged, blank or unreadable", async (t) => {
  for (const sectorShift of [9, 12]) {
    const image = new ExfatBuilder({ clusterCount: 100, sectorShift });
    image.root(fileSet("file"));
    const whole = Buffer.from(image.finish());
    const cases: ((bytes: Buffer) => unknown)[] = [
      (bytes) => bytes.fill(0, 0, 512),
      (bytes) => bytes.fill(0xff, 0, 11 * image.sectorSize),
      (bytes) => (bytes[3] = 0),
      (bytes) => (bytes[20] = 1),
      (bytes) => (bytes[108] = 40),
      (bytes) => bytes.writeUInt32LE(99, 96),
      (bytes) => (bytes[3 * image.sectorSize]! ^= 1),
    ];
    for (const change of cases) {
      const bytes = Buffer.from(whole);
      change(bytes);
      const fs = await openBytes(bytes, {}, exfatDriver);
      t.match(fs.facts.warnings, ["the boot region is damaged, its backup is used"]);
      t.same(await namesIn(fs), ["file"]);
    }
    const unreadable = await exfatDriver.open(damaged(memorySource(whole, "image"), 0, 512));
    t.same(await namesIn(unreadable!), ["file"]);
    const both = Buffer.from(whole);
    both[120] = 1;
    both[12 * image.sectorSize + 120] = 2;
    t.match((await openBytes(both, {}, exfatDriver)).facts.warnings, [
      "the checksums of both boot regions are wrong",
    ]);
    both[108] = 0;
    await t.rejects(openBytes(both, {}, exfatDriver), /exFAT's sectorShift is 0, but must be 9 to 12/);
    // What is in use is not in the checksum.
    whole[106] = 6;
    whole[112] = 50;
    t.same((await openBytes(whole, {}, exfatDriver)).facts.warnings, [
      "the file system was not unmounted cleanly",
      "the guest had read or write errors on this volume",
    ]);
  }
});

t.test("FAT's driver and exFAT's do not take each other's volumes", async (t) => {
  const image = new ExfatBuilder({ clusterCount: 100 });
  t.equal((await openFileSystem(memorySource(image.finish(), "image")))!.facts.type, "exfat");
});

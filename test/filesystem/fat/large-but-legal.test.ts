/** FAT and exFAT with sizes and counts at their legal maximum: each operation soon, in little memory, and without holding others up. */
import t, { type Test } from "tap";
import type { BlockSource, Extent } from "../../../src/extent/extent.js";
import { read } from "../../../src/extent/read.js";
import { exfatDriver } from "../../../src/filesystem/exfat/exfat.js";
import { fatDriver } from "../../../src/filesystem/fat/fat.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { watchEventLoop } from "../../support/event-loop.js";
import { ExfatBuilder, fileSet } from "../exfat/builder.js";
import { entry, FatBuilder } from "./builder.js";
import { find, namesIn, openBytes } from "./support.js";
import { listEntries } from "../../../src/filesystem/entries.js";

const LONGEST = 1000; // milliseconds of the processor
const LONGEST_HOLD = 100; // milliseconds
const MOST_GROWTH = 220 * 2 ** 20; // bytes, beside what a process needs that does nothing: 300 MB together

/** What a large volume has from `offset` on; everywhere else are zeros. */
interface Part {
  readonly offset: number;
  readonly length: number;
  bytes(from: number, length: number): Buffer;
}

const PIECE = 2 ** 16;

/** A volume of `size` bytes that is stored nowhere. */
function computed(size: number, parts: readonly Part[]): BlockSource {
  const first = [...parts].sort((a, b) => a.offset - b.offset);
  return {
    name: "image",
    size,
    async map(offset, length): Promise<Extent[]> {
      if (length === 0) return [];
      const part = first.find((one) => one.offset + one.length > offset);
      if (part === undefined || part.offset >= offset + length) return [{ kind: "zero", length }];
      if (part.offset > offset) return [{ kind: "zero", length: part.offset - offset }];
      const from = offset - part.offset;
      const count = Math.min(length, part.length - from, PIECE);
      const unit = { size: count, unpack: async () => part.bytes(from, count) };
      return [{ kind: "packed", unit, skip: 0, length: count }];
    },
  };
}

function stored(offset: number, bytes: Buffer): Part {
  return { offset, length: bytes.length, bytes: (from, length) => bytes.subarray(from, from + length) };
}

/** Links of 32 bits in which each of `count` clusters from `first` on leads to the next. */
function row(table: number, first: number, count: number, end: number): Part {
  return {
    offset: table + first * 4,
    length: count * 4,
    bytes(from, length) {
      const bytes = Buffer.alloc(length);
      for (let at = 0; at < length; at += 4) {
        const index = (from + at) / 4;
        bytes.writeUInt32LE(index + 1 < count ? first + index + 1 : end, at);
      }
      return bytes;
    },
  };
}

/** Runs `work`, and checks what it costs. */
async function bounded<T>(t: Test, what: string, work: () => Promise<T>): Promise<T> {
  const [before, memory] = [process.cpuUsage(), process.memoryUsage().rss];
  const watch = watchEventLoop();
  const result = await work();
  const held = watch.stop();
  const { user, system } = process.cpuUsage(before);
  const elapsed = (user + system) / 1000;
  t.ok(elapsed < LONGEST, `${what}: ${Math.round(elapsed)} ms`);
  t.ok(held < LONGEST_HOLD, `${what}: others wait for ${Math.round(held)} ms at most`);
  const growth = process.memoryUsage().rss - memory;
  t.ok(growth < MOST_GROWTH, `${what}: ${growth} more bytes of memory`);
  return result;
}

/** Reads at the start, in the middle and at the end. */
async function readAround(t: Test, fs: FileSystem, name: string, places = [0, 0.5, 1]): Promise<void> {
  const id = (await bounded(t, `look-up of ${name}`, () => find(fs, name)))!;
  const source = await bounded(t, `open ${name}`, () => fs.open(id));
  for (const place of places) {
    const offset = Math.floor((source.size - 10) * place);
    await bounded(t, `read ${name} at ${offset}`, () => read(source, offset, 10));
  }
}

t.test("FAT32 with all the clusters and the longest chain that it can have", async (t) => {
  const clusterCount = 0x0fff_fff5;
  const fatSectors = Math.ceil(((clusterCount + 2) * 4) / 512);
  const boot = Buffer.from(new FatBuilder({ width: 32, clusterCount: 66_000 }).bytes.subarray(0, 512));
  boot[0x10] = 1;
  boot.writeUInt32LE(32 + fatSectors + clusterCount, 0x20);
  boot.writeUInt32LE(fatSectors, 0x24);
  const fat = 32 * 512;
  const heap = fat + fatSectors * 512;
  const size = 2 ** 32 - 1;
  const clusters = 2 ** 23;
  const links = Buffer.alloc(12);
  links.writeUInt32LE(0x0fff_fff8, 0);
  links.writeUInt32LE(0x0fff_ffff, 4);
  links.writeUInt32LE(0x0fff_ffff, 8);
  const volume = computed(heap + clusterCount * 512, [
    stored(0, boot),
    stored(fat, links),
    row(fat, 3, clusters, 0x0fff_ffff),
    row(fat, 2 ** 27, 2 ** 24, 0x0fff_ffff),
    stored(
      heap,
      Buffer.concat([
        entry("FILE", { firstCluster: 3, size }),
        entry("DIR", { attributes: 0x10, firstCluster: 2 ** 27 }),
      ]),
    ),
  ]);
  const fs = (await bounded(t, "open", async () => fatDriver.open(volume)))!;
  t.same(await bounded(t, "list", () => namesIn(fs)), ["FILE", "DIR"]);
  await readAround(t, fs, "FILE");
  const dir = (await find(fs, "DIR"))!;
  await bounded(t, "attributes of a directory whose chain is 2^24 clusters long", async () =>
    fs.attributes(dir),
  );
  t.same(await bounded(t, "list it", () => namesIn(fs, dir)), []);
  const started = watchEventLoop();
  const usage = await fs.usage(fs.root);
  t.equal(usage.blocks - usage.freeBlocks, 1 + clusters + 2 ** 24);
  t.ok(started.stop() < LONGEST_HOLD, "while the free clusters are counted, others are served");
});

t.test("exFAT with the most clusters, and files as long as all of them", async (t) => {
  const clusterCount = 0xffff_fff5;
  const model = new ExfatBuilder({ clusterCount: 100 });
  const boot = Buffer.from(model.finish().subarray(0, 512));
  const fatSectors = Math.ceil(((clusterCount + 2) * 4) / 512);
  const fatOffset = 32 * 512;
  const heap = fatOffset + fatSectors * 512;
  const bitmapClusters = Math.ceil(clusterCount / 8 / 512);
  const table = Buffer.from(model.bytes.subarray(model.offsetOf(3), model.offsetOf(5)));
  const upCase = 3 + bitmapClusters;
  const files = upCase + 10;
  boot.writeUInt32LE(fatSectors, 84);
  boot.writeUInt32LE(32 + fatSectors, 88);
  boot.writeUInt32LE(clusterCount, 92);
  boot.writeUInt32LE(2, 96);
  const slots = Buffer.from(
    model.bytes.subarray(model.offsetOf(model.rootCluster), model.offsetOf(model.rootCluster) + 64),
  );
  slots.writeUInt32LE(3, 20);
  slots.writeBigUInt64LE(BigInt(Math.ceil(clusterCount / 8)), 24);
  slots.writeUInt32LE(upCase, 32 + 20);
  const size = (clusterCount - files) * 512;
  const end = 0xffff_ffff;
  const root = Buffer.concat([
    slots,
    fileSet("row", { firstCluster: files, size, isContiguous: true }),
    fileSet("chain", { firstCluster: files, size }),
    fileSet("new", { firstCluster: files, size, validSize: 0, isContiguous: true }),
  ]);
  const volume = computed(heap + clusterCount * 512, [
    stored(0, boot),
    row(fatOffset, 2, 1, end),
    row(fatOffset, 3, bitmapClusters, end),
    row(fatOffset, upCase, 2, end),
    row(fatOffset, files, clusterCount + 2 - files, end),
    stored(heap, root),
    stored(heap + (upCase - 2) * 512, table),
  ]);
  const fs = (await bounded(t, "open", async () => exfatDriver.open(volume)))!;
  t.same(await bounded(t, "list", () => namesIn(fs)), ["row", "chain", "new"]);
  await readAround(t, fs, "row");
  await readAround(t, fs, "new");
  await readAround(t, fs, "chain", [0, 0.00001]); // farther in, all links up to there have to be followed
  const source = await fs.open((await find(fs, "chain"))!);
  t.ok((await bounded(t, "map all", () => source.map(0, source.size))).length > 0);
  const watch = watchEventLoop();
  const usage = await fs.usage(fs.root);
  t.equal(usage.freeBlocks, clusterCount);
  t.ok(watch.stop() < LONGEST_HOLD, "while the free clusters are counted, others are served");
});

t.test("FAT16 with the most FATs, each as long as can be, and the largest root directory", async (t) => {
  const image = new FatBuilder({ width: 16, clusterCount: 65_524, fatCount: 255, rootEntries: 65_520 });
  image.root(entry("FILE", { firstCluster: 2, size: 10 }));
  image.chain(2);
  for (let i = 0; i < 65_000; i++) image.root(entry(`F${i}`, { size: 0 }));
  const fs = await bounded(t, "open", () => openBytes(image.bytes));
  await readAround(t, fs, "FILE", [0]);
  await bounded(t, "look-up of the last name", () => find(fs, "F64999"));
  const { cookie } = (await bounded(t, "page", () => listEntries(fs, fs.root, 60_000, { limit: 32 }))).at(
    -1,
  )!;
  t.ok(cookie > 60_030 && cookie < 60_200);
  image.bytes.writeUInt16LE(65_535, 0x16);
  await bounded(t, "FATs that do not fit", async () =>
    fatDriver.open(computed(2 ** 32, [stored(0, image.bytes)])).catch(String),
  );
});

t.test("directories in directories, ten thousand deep", async (t) => {
  const depth = 10_000;
  const image = new FatBuilder({ width: 16, clusterCount: 60_000 });
  for (let i = 0; i < depth; i++) {
    const next = entry("D", { attributes: 0x10, firstCluster: 4 + i });
    image.put(i + 1 < depth ? next : entry("FILE", { firstCluster: 2, size: 5 }), [3 + i]);
  }
  image.put(Buffer.from("Hello"), [2]);
  image.root(entry("D", { attributes: 0x10, firstCluster: 3 }));
  image.root(entry("TOP", { firstCluster: 2, size: 5 }));
  const fs = await openBytes(image.bytes);
  const id = (await find(fs, "TOP"))!;
  const source = await fs.open(id);
  await bounded(t, "read", () => read(source, 0, 5).catch(String));
});

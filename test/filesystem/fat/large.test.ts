/** Sizes at the limits: in little time, and in little memory. */
import { closeSync, openSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { read } from "../../../src/extent/read.js";
import { listAll, withFolder } from "../ext/support.js";
import { entry, FatBuilder } from "./builder.js";
import { find, generator, openBytes, tool, withImage } from "./support.js";

/** Milliseconds; on a machine that has nothing else to do it is a tenth. */
const SOON = 10_000;

t.test("a directory of 65,536 slots is listed and looked up in soon", async (t) => {
  const image = new FatBuilder({ width: 32, clusterCount: 66_000, sectorsPerCluster: 8 });
  const count = 65_534;
  const slots = Array.from({ length: count }, (_, i) => entry(`F${i}`, { size: 0 }));
  image.put(
    Buffer.concat(slots),
    Array.from({ length: 512 }, (_, i) => 3 + ((i * 37) % 512) * 101),
  );
  image.root(entry("DIR", { attributes: 0x10, firstCluster: 3 }));
  const fs = await openBytes(image.bytes);
  const dir = (await find(fs, "DIR"))!;
  const started = performance.now();
  const entries = await listAll(fs, dir);
  t.equal(entries.length, count);
  for (let i = 0; i < count; i += 7) {
    const name = Buffer.from(`f${i}`);
    if ((await fs.lookup(dir, name)) !== entries[i]!.id) t.fail(`F${i}`);
  }
  for (let i = 0; i < 1000; i++)
    if ((await fs.lookup(dir, Buffer.from(`g${i}`))) !== undefined) t.fail(`g${i}`);
  const elapsed = performance.now() - started;
  t.ok(elapsed < SOON, `${Math.round(elapsed)} ms`);
});

t.test("a file of 4 GiB in a million pieces is read anywhere, soon", (t) =>
  withFolder(async (folder) => {
    const path = join(folder, "image");
    const clusterCount = 2_200_000;
    const count = 2 ** 20 - 1;
    const heap = 32 * 512 + Math.ceil(((clusterCount + 2) * 4) / 512) * 512;
    const fat = Buffer.alloc(Math.ceil(((clusterCount + 2) * 4) / 512) * 512);
    fat.writeUInt32LE(0x0ffffff8, 0);
    fat.writeUInt32LE(0x0fffffff, 4);
    fat.writeUInt32LE(0x0fffffff, 8);
    // Every other cluster, the upper half of them first: no two of them touch.
    const cluster = (index: number): number => 3 + 2 * ((index + count / 3) % count);
    for (let i = 0; i < count; i++)
      fat.writeUInt32LE(i + 1 < count ? cluster(i + 1) : 0x0fffffff, cluster(i) * 4);
    const boot = new FatBuilder({ width: 32, clusterCount: 66_000, sectorsPerCluster: 8, fatCount: 1 });
    const sectors = heap / 512 + clusterCount * 8;
    boot.bytes.writeUInt32LE(sectors, 0x20);
    boot.bytes.writeUInt32LE(fat.length / 512, 0x24);
    const file = openSync(path, "w");
    truncateSync(path, sectors * 512);
    writeSync(file, boot.bytes, 0, 32 * 512, 0);
    writeSync(file, fat, 0, fat.length, 32 * 512);
    const size = count * 4096 - 5;
    writeSync(file, entry("HUGE", { firstCluster: cluster(0), size }), 0, 32, heap);
    const stamp = (index: number): Buffer => Buffer.from(`cluster number ${index} of the file`);
    const random = generator(7);
    const marked = Array.from({ length: 400 }, () => random(count - 1));
    for (const index of marked) {
      const bytes = stamp(index);
      writeSync(file, bytes, 0, bytes.length, heap + (cluster(index) - 2) * 4096 + 1000);
    }
    closeSync(file);
    await withImage(path, async (fs) => {
      const started = performance.now();
      const source = await fs.open((await find(fs, "huge"))!);
      t.equal(source.size, size);
      for (const index of marked) {
        const expected = stamp(index);
        const bytes = await read(source, index * 4096 + 1000, expected.length);
        if (!bytes.equals(expected)) t.fail(`cluster ${index}`);
      }
      t.equal((await read(source, 123 * 4096 + 7, 300_000)).length, 300_000);
      const elapsed = performance.now() - started;
      t.ok(elapsed < SOON, `${Math.round(elapsed)} ms`);
    });
  }),
);

t.test("a FAT32 of 2 TiB is opened and counted in little memory", (t) =>
  withFolder(async (folder) => {
    const path = join(folder, "image");
    closeSync(openSync(path, "w"));
    truncateSync(path, 2 ** 41 - 2 ** 20);
    tool("mkfs.fat", "-F", "32", "-s", "128", "-f", "1", path);
    tool("mmd", "-i", path, "::/dir");
    tool("mcopy", "-i", path, import.meta.filename, "::/dir/this file");
    const before = process.memoryUsage().rss;
    await withImage(path, async (fs) => {
      const started = performance.now();
      const source = await fs.open((await find(fs, "dir/This File"))!);
      t.match((await read(source, 0, 100)).toString(), /Sizes at the limits/);
      const opened = performance.now() - started;
      t.ok(opened < SOON, `${Math.round(opened)} ms`);
      const usage = await fs.usage(fs.root);
      t.ok(usage.blocks > 33_000_000);
      t.equal(usage.blocks - usage.freeBlocks, 3);
      t.ok(process.memoryUsage().rss - before < 200 * 2 ** 20, "less than 200 MiB more");
      t.comment(`counted in ${Math.round(performance.now() - started - opened)} ms`);
    });
  }),
);

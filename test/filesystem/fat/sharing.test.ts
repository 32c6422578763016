/** Clusters that several files have, compared with a naive model: each file's chain followed by itself. */
import t from "tap";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { exfatDriver } from "../../../src/filesystem/exfat/exfat.js";
import { ExfatBuilder, fileSet } from "../exfat/builder.js";
import { listAll } from "../ext/support.js";
import { entry, FatBuilder } from "./builder.js";
import { contentsAt, generator, namesIn, openBytes } from "./support.js";

interface File {
  readonly first: number;
  /** Clusters. */
  readonly wanted: number;
  readonly isContiguous?: boolean;
}

type Link = number | "end" | "free" | "bad";

/** The clusters that can be read of one file alone, and whether its length is exact. */
function clustersOf(file: File, links: ReadonlyMap<number, Link>, limit: number): [number[], boolean] {
  const clusters: number[] = [];
  if (file.isContiguous === true) {
    for (let at = file.first; at < limit && clusters.length < file.wanted; at++) clusters.push(at);
    return [clusters, clusters.length === file.wanted];
  }
  let at: Link = file.first;
  while (typeof at === "number" && clusters.length < file.wanted) {
    const link: Link = links.get(at) ?? "free";
    if (link === "free" || link === "bad") return [clusters, false];
    if (clusters.includes(at)) return [clusters, false];
    clusters.push(at);
    at = link;
  }
  return [clusters, at === "end" && clusters.length === file.wanted];
}

/** How many clusters of each file can be read. */
function model(
  files: readonly File[],
  links: ReadonlyMap<number, Link>,
  limit: number,
  reserved: readonly number[] = [],
): number[] {
  const alone = files.map((file) => clustersOf(file, links, limit));
  const counts = { exact: new Map<number, number>(), doubtful: new Map<number, number>() };
  const count = (map: Map<number, number>, cluster: number): void => {
    map.set(cluster, (map.get(cluster) ?? 0) + 1);
  };
  for (const cluster of reserved) count(counts.exact, cluster);
  for (const [clusters, isExact] of alone)
    for (const cluster of clusters) count(isExact ? counts.exact : counts.doubtful, cluster);
  return alone.map(([clusters, isExact]) => {
    const bad = clusters.findIndex((cluster) =>
      isExact
        ? counts.exact.get(cluster)! > 1
        : counts.exact.has(cluster) || counts.doubtful.get(cluster)! > 1,
    );
    return bad < 0 ? clusters.length : bad;
  });
}

async function readableClusters(fs: FileSystem, clusterSize: number): Promise<number[]> {
  const counts: number[] = [];
  for (const { id } of await listAll(fs, fs.root)) {
    const source = await fs.open(id);
    let length = 0;
    for (const extent of source.size === 0 ? [] : await source.map(0, source.size)) {
      if (extent.kind === "damaged") break;
      length += extent.length;
    }
    counts.push(Math.ceil(length / clusterSize));
  }
  return counts;
}

/** Links at random: mostly chains, some of which meet, come back to themselves or run into what is no file's. */
function randomLinks(first: number, count: number, random: (limit: number) => number): Map<number, Link> {
  const links = new Map<number, Link>();
  for (let cluster = first; cluster < first + count; cluster++) {
    const kind = random(20);
    if (kind === 0) links.set(cluster, "free");
    else if (kind === 1) links.set(cluster, "bad");
    else if (kind < 5) links.set(cluster, "end");
    else if (kind < 15) links.set(cluster, cluster + 1 < first + count ? cluster + 1 : "end");
    else links.set(cluster, first + random(count));
  }
  return links;
}

t.test("FAT: whatever chains share, a file has what the naive model says", async (t) => {
  const random = generator((Date.now() % 2 ** 31) | 1);
  const wrong: string[] = [];
  let shared = 0;
  for (let round = 0; round < 400; round++) {
    const image = new FatBuilder({ width: 16, clusterCount: 4200, rootEntries: 64 });
    const links = randomLinks(2, 60, random);
    for (const [cluster, link] of links)
      image.link(cluster, { end: 0xffff, free: 0, bad: 0xfff7 }[link as string] ?? (link as number));
    const files = Array.from({ length: 2 + random(12) }, (): File => {
      const file = { first: 2 + random(60), wanted: 60 };
      const [clusters, isExact] = clustersOf(file, links, 4202);
      const wanted = random(3) > 0 ? Math.max(1, clusters.length) : 1 + random(30);
      return { first: file.first, wanted: isExact ? 60 : wanted };
    });
    for (const [index, { first, wanted }] of files.entries())
      image.root(entry(`F${index}`, { firstCluster: first, size: wanted * 512 - random(500) }));
    const expected = model(files, links, 4202);
    const found = await readableClusters(await openBytes(image.bytes), 512);
    if (found.join() !== expected.join())
      wrong.push(`round ${round}: ${found.join()} instead of ${expected.join()}`);
    if (expected.join() !== files.map((file) => clustersOf(file, links, 4202)[0].length).join()) shared++;
  }
  t.same(wrong.slice(0, 3), []);
  t.ok(shared > 100, `in ${shared} of 400 volumes something was shared`);
});

t.test("exFAT: with files that have no links as well", async (t) => {
  const random = generator(((Date.now() + 7) % 2 ** 31) | 1);
  const wrong: string[] = [];
  for (let round = 0; round < 200; round++) {
    const image = new ExfatBuilder({ clusterCount: 100 });
    const limit = 102;
    image.growRoot(80, 81, 82, 83, 84, 85, 86, 87, 88);
    const links = randomLinks(image.firstFree, 60, random);
    for (const [cluster, link] of links)
      image.link(
        cluster,
        { end: 0xffff_ffff, free: 0, bad: 0xffff_fff7 }[link as string] ?? (link as number),
      );
    const files = Array.from({ length: 2 + random(10) }, (): File => {
      const first = image.firstFree + random(60);
      if (random(2) === 0) return { first, wanted: 1 + random(40), isContiguous: true };
      const [clusters] = clustersOf({ first, wanted: 90 }, links, limit);
      return { first, wanted: random(3) > 0 ? Math.max(1, clusters.length) : 1 + random(30) };
    });
    for (const [index, { first, wanted, isContiguous = false }] of files.entries())
      image.root(fileSet(`f${index}`, { firstCluster: first, size: wanted * 512, isContiguous }));
    const reserved = [image.rootCluster, 80, 81, 82, 83, 84, 85, 86, 87, 88];
    const expected = model(files, links, limit, reserved);
    const fs = await openBytes(image.finish(), {}, exfatDriver);
    const found = await readableClusters(fs, 512);
    if (found.join() !== expected.join())
      wrong.push(`round ${round}: ${found.join()} instead of ${expected.join()}`);
  }
  t.same(wrong.slice(0, 3), []);
});

/** Milliseconds; on a machine that has nothing else to do it is a tenth. */
const SOON = 5000;

t.test("tens of thousands of entries that share one chain cost what the chain costs", async (t) => {
  const count = 60_000;
  const image = new FatBuilder({ width: 16, clusterCount: 62_000 });
  const clusters = Array.from({ length: 59_000 }, (_, i) => 3000 + i);
  image.chain(...clusters);
  const inner = Buffer.concat(
    Array.from({ length: count }, (_, i) =>
      entry(`F${i}`, { firstCluster: 3000 + (i % 59_000), size: 30_000_000 }),
    ),
  );
  image.put(inner, Array.from({ length: Math.ceil(inner.length / 512) - 1 }, (_, i) => i + 3).slice(0, 2990));
  image.root(entry("DIR", { attributes: 0x10, firstCluster: 3 }));
  image.put(Buffer.from("Hello"), [2]);
  image.root(entry("HELLO   TXT", { firstCluster: 2, size: 5 }));
  const fs = await openBytes(image.bytes);
  const started = performance.now();
  t.equal((await contentsAt(fs, "HELLO.TXT")).toString(), "Hello");
  const elapsed = performance.now() - started;
  await t.rejects(contentsAt(fs, "DIR/F7"), /cross-linked/);
  t.ok(elapsed < SOON, `${Math.round(elapsed)} ms`);
});

t.test("directories that share one chain are gone through once", async (t) => {
  const image = new FatBuilder({ width: 16, clusterCount: 62_000 });
  const clusters = Array.from({ length: 4000 }, (_, i) => 3000 + i);
  const slots = Array.from({ length: 4000 * 16 }, (_, i) =>
    entry(`D${i}`, { attributes: 0x10, firstCluster: 3000 + (i % 4000) }),
  );
  image.put(Buffer.concat(slots), clusters);
  image.root(entry("DIR", { attributes: 0x10, firstCluster: 3000 }));
  image.put(Buffer.from("Hello"), [2]);
  image.root(entry("HELLO   TXT", { firstCluster: 2, size: 5 }));
  const fs = await openBytes(image.bytes);
  const started = performance.now();
  t.equal((await contentsAt(fs, "HELLO.TXT")).toString(), "Hello");
  const elapsed = performance.now() - started;
  t.ok(elapsed < SOON, `${Math.round(elapsed)} ms`);
  t.same(await namesIn(fs), ["DIR", "HELLO.TXT"]);
});

/** exFAT volumes written by the specification, or by mkfs.exfat; fsck.exfat, dump.exfat and the Sleuth Kit are the judges. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { read } from "../../../src/extent/read.js";
import { exfatDriver } from "../../../src/filesystem/exfat/exfat.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { walk, withFolder } from "../ext/support.js";
import {
  contentsAt,
  find,
  generator,
  namesIn,
  randomBytes,
  shuffled,
  tool,
  withImage,
} from "../fat/support.js";
import { ExfatBuilder, fileSet, labelSlot, range, type Layout } from "./builder.js";

const LAYOUTS: readonly Layout[] = [
  { clusterCount: 3000 },
  { clusterCount: 2100, clusterShift: 3 },
  { clusterCount: 2200, sectorShift: 12 },
  { clusterCount: 2300, sectorShift: 10, clusterShift: 1 },
];

for (const layout of LAYOUTS) {
  const image = new ExfatBuilder(layout);
  t.test(`clusters of ${image.clusterSize} bytes, sectors of ${image.sectorSize}: the judges agree`, (t) =>
    withFolder(async (folder) => {
      const random = generator(layout.clusterCount);
      const { clusterSize, firstFree } = image;
      const row = range(firstFree, 40); // in order, for those without links
      const free = shuffled(firstFree + 40, layout.clusterCount - firstFree - 40, random);
      const model = randomBytes(clusterSize * 900 - 321, 5);
      const clusters = free.splice(0, 900);
      const rootClusters = free.splice(0, Math.ceil(8192 / clusterSize));
      image.growRoot(...rootClusters);
      image.root(labelSlot("A läbel"));
      image.put(model, clusters);
      const whole = [model, randomBytes(clusterSize * 3 + 5, 6), randomBytes(clusterSize * 5, 7)] as const;
      image.root(fileSet("the model, in 900 pieces", { firstCluster: clusters[0]!, size: model.length }));
      image.put(whole[1], row.splice(0, 4), true);
      image.root(
        fileSet("in a row.bin", { firstCluster: firstFree, size: whole[1].length, isContiguous: true }),
      );
      const valid = clusterSize + 100;
      image.put(whole[2], row.splice(0, 5), true);
      image.root(
        fileSet("valid in part", {
          firstCluster: firstFree + 4,
          size: whole[2].length,
          validSize: valid,
          isContiguous: true,
        }),
      );
      image.root(fileSet("empty"));
      const inner = range(0, 60).map((i) => fileSet(`${"Ünïcödé ".repeat(i % 9)}${i}`));
      const innerSize = Math.ceil(Buffer.concat(inner).length / clusterSize) * clusterSize;
      const dir = free.splice(0, innerSize / clusterSize);
      image.put(Buffer.concat(inner), dir);
      image.root(fileSet("scattered dir", { attributes: 0x10, firstCluster: dir[0]!, size: innerSize }));
      const inRow = row.splice(0, Math.min(row.length, innerSize / clusterSize));
      const rowSets = Buffer.concat(inner).subarray(0, inRow.length * clusterSize);
      image.put(
        rowSets.length === inRow.length * clusterSize
          ? Buffer.concat(inner.slice(0, 5))
          : Buffer.concat(inner),
        inRow,
        true,
      );
      image.root(
        fileSet("dir in a row", {
          attributes: 0x10,
          firstCluster: inRow[0]!,
          size: inRow.length * clusterSize,
          isContiguous: true,
        }),
      );
      const path = join(folder, "image");
      writeFileSync(path, image.finish());
      t.match(tool("fsck.exfat", "-n", path), /clean\. directories 3, files \d+/);

      await openAndCompare(path, async (fs) => {
        t.match(fs.facts, { type: "exfat", label: "A läbel", uuid: "1234-ABCD", warnings: [] });
        const ours: string[] = [];
        for await (const { path: way, id, attributes } of walk(fs)) {
          const name = way
            .slice(1)
            .split("/")
            .map((part) => Buffer.from(part, "hex").toString())
            .join("/");
          ours.push(`${attributes.type === "file" ? "r" : "d"} ${name} ${attributes.size}`);
          if (attributes.type !== "file") continue;
          const source = await fs.open(id);
          const inode = sleuth(path).get(name)!.inode;
          const theirs = execFileSync("icat", [path, inode], { maxBuffer: 2 ** 28 });
          if (name === "valid in part") continue; // icat gives what lies past the valid length
          if (!(await read(source, 0, source.size)).equals(theirs)) t.fail(`${name} is another to icat`);
        }
        t.same(
          ours.sort(),
          [...sleuth(path)].map(([name, { type, size }]) => `${type} ${name} ${size}`).sort(),
        );
        const source = await fs.open((await find(fs, "THE MODEL, in 900 pieces"))!);
        let wrong = 0;
        for (let i = 0; i < 3000; i++) {
          const offset = random(model.length);
          const length = Math.min(model.length - offset, random(2 ** (1 + (i % 17))));
          const bytes = await read(source, offset, length);
          if (!bytes.equals(model.subarray(offset, offset + length))) wrong++;
        }
        t.equal(wrong, 0, "random reads of a file in pieces");
        t.same(await contentsAt(fs, "in a row.bin"), whole[1]);
        const expected = Buffer.concat([whole[2].subarray(0, valid), Buffer.alloc(whole[2].length - valid)]);
        t.same(await contentsAt(fs, "valid in part"), expected, "zeros past the valid length");
        const { blocks, freeBlocks } = await fs.usage(fs.root);
        t.equal(blocks - freeBlocks, image.marked, "clusters in use");
      });
    }),
  );
}

async function openAndCompare(path: string, use: (fs: FileSystem) => Promise<void>): Promise<void> {
  await withImage(path, use, {}, exfatDriver);
}

const listings = new Map<string, Map<string, { type: string; inode: string; size: number }>>();

/** What the Sleuth Kit finds, by path. */
function sleuth(path: string): Map<string, { type: string; inode: string; size: number }> {
  let found = listings.get(path);
  if (found === undefined) {
    found = new Map();
    for (const line of tool("fls", "-rpl", "-z", "UTC", path).split("\n")) {
      const [kind, way, , , , , size] = line.split("\t");
      const match = /^([rd])\/[rd] (\d+):$/.exec(kind ?? "");
      if (match === null || way!.startsWith("$") || way!.endsWith("(Volume Label Entry)")) continue;
      found.set(way!, { type: match[1]!, inode: match[2]!, size: Number(size) });
    }
    listings.set(path, found);
  }
  return found;
}

t.test("mkfs.exfat's volumes of every sector and cluster size are opened, and empty", (t) =>
  withFolder(async (folder) => {
    const path = join(folder, "image");
    for (const [size, ...options] of [
      ["8M"],
      ["64M", "-c", "512"],
      ["64M", "-c", "1M", "-L", "läbel"],
      ["4G", "-c", "32K"],
      ["1T", "-c", "32M"],
    ] as const) {
      tool("sh", "-c", `rm -f ${path}; truncate -s ${size} ${path}`);
      tool("mkfs.exfat", ...options, path);
      await openAndCompare(path, async (fs) => {
        t.same(await namesIn(fs), []);
        t.same(fs.facts.warnings, []);
        t.equal(fs.facts.label, options.includes("-L" as never) ? "läbel" : undefined);
        const free = /Free Clusters:\s+(\d+)/.exec(tool("dump.exfat", path))![1];
        t.equal((await fs.usage(fs.root)).freeBlocks, Number(free));
        t.equal(fs.facts.uuid, tool("blkid", "-p", "-o", "value", "-s", "UUID", path).trim());
      });
    }
  }),
);

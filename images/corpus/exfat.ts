/** Writes an exFAT volume with files in pieces, in a row and in directories: no free tool of Linux's user space fills one. Usage: tsx exfat.ts OUT */
import { writeFileSync } from "node:fs";
import { ExfatBuilder, fileSet, range } from "../../test/filesystem/exfat/builder.js";

const image = new ExfatBuilder({ clusterCount: 2048 });
const { clusterSize, firstFree } = image;
const text = (size: number): Buffer => Buffer.alloc(size, "To be read, and to be found whole.\n");

/** In pieces, the last first; with links. */
const pieces = range(firstFree, 40).reverse();
const scattered = text(pieces.length * clusterSize - 77);
image.put(scattered, pieces);
image.root(fileSet("in pieces.txt", { firstCluster: pieces[0]!, size: scattered.length }));

const row = range(firstFree + 40, 20);
const contiguous = text(row.length * clusterSize - 1);
image.put(contiguous, row, true);
image.root(fileSet("in a row.txt", { firstCluster: row[0]!, size: contiguous.length, isContiguous: true }));
image.root(fileSet("empty"));

const small = firstFree + 70;
image.put(text(100), [small]);
const sets = Buffer.concat([
  fileSet("Überraschung.txt", { firstCluster: small, size: 100 }),
  ...range(0, 5).map((i) => fileSet(`${"a long name ".repeat(i * 4)}${i}`)),
]);
const directory = range(firstFree + 80, Math.ceil(sets.length / clusterSize));
image.put(sets, directory);
image.root(
  fileSet("photos", {
    attributes: 0x10,
    firstCluster: directory[0]!,
    size: directory.length * clusterSize,
  }),
);
writeFileSync(process.argv[2]!, image.finish());

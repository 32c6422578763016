/** Images that nobody here made, where they are at hand: ../shared/corpora, which is no part of the project. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { DiskError } from "../../../src/errors.js";
import { extDriver } from "../../../src/filesystem/ext/ext.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { hashOf, rawSource, readWhatIsReadable, walk, withFolder, withImage } from "./support.js";

const CORPORA = join(import.meta.dirname, "../../../../shared/corpora");
const SOON = 20_000; // milliseconds

interface Image {
  readonly path: string;
  readonly truth: string;
  readonly isGood: boolean;
}

function images(): Image[] {
  if (!existsSync(CORPORA)) return [];
  return readFileSync(join(CORPORA, "catalogue.tsv"), "utf8")
    .split("\n")
    .map((line) => line.split("\t"))
    .filter(([, format, scheme, fs]) => format === "raw" && scheme === "none" && /^ext[234]?$/.test(fs ?? ""))
    .map(([path, , , , truth, kind]) => ({ path: path!, truth: truth!, isGood: kind === "good" }));
}

function unpack(image: Image, folder: string): string {
  const path = join(folder, "image");
  execFileSync("sh", [
    "-c",
    'gzip -dc "$0" | cp --sparse=always /dev/stdin "$1"',
    join(CORPORA, `${image.path}.gz`),
    path,
  ]);
  return path;
}

async function hashes(fs: FileSystem, isGood: boolean): Promise<string[]> {
  const lines: string[] = [];
  for await (const { path, id, attributes } of walk(fs, fs.root, "", new Set(), (error) => {
    if (isGood) throw error;
  })) {
    if (attributes.type !== "file") continue;
    const name = path
      .slice(1)
      .split("/")
      .map((part) => Buffer.from(part, "hex").toString("latin1"))
      .join("/");
    const source = await fs.open(id);
    const printed = name.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
    lines.push(`${await hashOf(source, 0, source.size)}  ${printed}`);
  }
  return lines.sort();
}

for (const image of images()) {
  if (image.truth !== "-") {
    t.test(`${image.path} holds the files that other readers find`, (t) =>
      withFolder(async (folder) => {
        const truth = readFileSync(join(CORPORA, image.truth), "latin1");
        const expected = truth
          .split("\n")
          .filter((line) => line !== "")
          .sort();
        t.same(await withImage(unpack(image, folder), (fs) => hashes(fs, image.isGood)), expected);
      }),
    );
  }
  if (image.isGood) continue;
  t.test(`${image.path}, which is damaged, ends in bytes or in a DiskError, soon`, (t) =>
    withFolder(async (folder) => {
      const started = performance.now();
      const volume = await rawSource(unpack(image, folder));
      try {
        const fs = await extDriver.open(volume);
        if (fs !== undefined) {
          const { nodes, errors } = await readWhatIsReadable(fs);
          t.comment(`${nodes} nodes, ${errors.length} errors, ${fs.facts.warnings.join("; ")}`);
          for (const error of errors.slice(0, 3)) t.comment(error.message);
        }
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        t.comment(error.message);
      } finally {
        await volume.close();
      }
      t.ok(performance.now() - started < SOON, "soon");
    }),
  );
}

t.test("the corpora are read where they are", (t) => {
  t.comment(existsSync(CORPORA) ? CORPORA : "not here");
  t.end();
});

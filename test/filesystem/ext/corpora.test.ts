/** Images of the corpora, against what other programs read in them. */
import t from "tap";
import { DiskError } from "../../../src/errors.js";
import { extDriver } from "../../../src/filesystem/ext/ext.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { corpus, truthOf, withCorpus } from "../../support/corpora.js";
import { hashOf, rawSource, readWhatIsReadable, walk, withImage } from "./support.js";

const SOON = 20_000; // milliseconds

const images = corpus.filter(
  ({ format, scheme, fileSystem }) => format === "raw" && scheme === "none" && /^ext[234]?$/.test(fileSystem),
);

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

for (const image of images) {
  const expected = truthOf(image.truth)?.sort();
  if (expected !== undefined) {
    t.test(`${image.path} holds the files that other readers find`, (t) =>
      withCorpus(image, async (path) => {
        t.same(await withImage(path, (fs) => hashes(fs, image.isGood)), expected);
      }),
    );
  }
  if (image.isGood) continue;
  t.test(`${image.path}, which is damaged, ends in bytes or in a DiskError, soon`, (t) =>
    withCorpus(image, async (path) => {
      const started = performance.now();
      const volume = await rawSource(path);
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

t.test("there are images to read, sound ones and damaged ones", (t) => {
  t.comment(`${images.length} images`);
  t.ok(images.some(({ isGood }) => isGood));
  t.ok(images.some(({ isGood }) => !isGood));
  t.end();
});

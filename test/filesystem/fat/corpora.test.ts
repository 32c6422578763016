/** FAT and exFAT images of the corpora, against what other programs read in them. */
import t from "tap";
import { DiskError } from "../../../src/errors.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { openFileSystem } from "../../../src/filesystem/filesystems.js";
import { corpus, truthOf, withCorpus } from "../../support/corpora.js";
import { hashOf, rawSource, readWhatIsReadable, walk } from "../ext/support.js";

const SOON = 20_000; // milliseconds

const images = corpus.filter(
  ({ format, scheme, fileSystem }) =>
    format === "raw" && scheme.startsWith("none") && /^(fat\d*|exfat)$/.test(fileSystem),
);

/** The files' hashes in the form of the truth. */
async function hashes(fs: FileSystem): Promise<string[]> {
  const lines: string[] = [];
  for await (const { path, id, attributes } of walk(fs)) {
    if (attributes.type !== "file") continue;
    const parts = path.slice(1).split("/");
    const name = parts.map((part) => Buffer.from(part, "hex").toString("latin1")).join("/");
    const source = await fs.open(id);
    lines.push(`${await hashOf(source, 0, source.size)}  ${name.replaceAll("\\", "\\\\")}`);
  }
  return lines.sort();
}

for (const image of images) {
  const expected = truthOf(image.truth)?.sort();
  const promise = image.isGood
    ? "holds the files that other readers find"
    : "ends in bytes or in a DiskError, soon";
  t.test(`${image.path} ${promise}`, (t) =>
    withCorpus(image, async (path) => {
      const started = performance.now();
      const volume = await rawSource(path);
      try {
        const fs = await openFileSystem(volume);
        t.match(fs?.facts.type, image.fileSystem === "exfat" ? /^exfat$/ : /^fat\d\d$/);
        if (image.isGood) t.same(await hashes(fs!), expected);
        const { nodes, errors } = await readWhatIsReadable(fs!);
        t.comment(`${nodes} nodes, ${errors.length} errors, ${fs!.facts.warnings.join("; ")}`);
        if (image.isGood) t.same(errors, []);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        t.notOk(image.isGood, error.message);
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

/** Images of the corpora, against what other programs read in them. */
import t from "tap";
import { DiskError } from "../../../src/errors.js";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import { corpus, truthOf, withCorpus } from "../../support/corpora.js";
import { hashOf, rawSource, readWhatIsReadable, walk } from "../ext/support.js";
import { read } from "../../../src/extent/read.js";
import { createHash } from "node:crypto";
import { openNtfs, withNtfs } from "./support.js";

const SOON = 20_000; // milliseconds

const images = corpus.filter(
  ({ format, scheme, fileSystem }) => format === "raw" && scheme === "none" && fileSystem === "ntfs",
);

interface Hashes {
  readonly files: string[];
  readonly streams: string[];
}

async function hashes(fs: FileSystem): Promise<Hashes> {
  const files: string[] = [];
  const streams: string[] = [];
  for await (const { path, id, attributes } of walk(fs, fs.root, "", new Set(), () => undefined)) {
    const name = path
      .slice(1)
      .split("/")
      .map((part) => Buffer.from(part, "hex").toString("latin1"))
      .join("/");
    const printed = name.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
    for (const [key, value] of await fs.extendedAttributes(id))
      streams.push(`${createHash("sha256").update(value).digest("hex")}  ${printed}:${key.slice(5)}`);
    if (attributes.type !== "file") continue;
    try {
      const source = await fs.open(id);
      files.push(`${await hashOf(source, 0, source.size)}  ${printed}`);
      await read(source, 0, 0);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      files.push(`${error.message}  ${printed}`);
    }
  }
  return { files: files.sort(), streams: streams.sort() };
}

for (const image of images) {
  const expected = truthOf(image.truth)?.sort();
  if (expected !== undefined) {
    t.test(`${image.path} holds the files and streams that other readers find`, (t) =>
      withCorpus(image, async (path) => {
        const { files, streams } = await withNtfs(path, hashes);
        t.same(files, expected);
        const named = truthOf(image.truth.replace(/\.sha256$/, ".ads.sha256"));
        if (named !== undefined) t.same(streams, named.sort(), "streams");
      }),
    );
  }
  if (image.isGood) continue;
  t.test(`${image.path}, which is damaged, ends in bytes or in a DiskError, soon`, (t) =>
    withCorpus(image, async (path) => {
      const started = performance.now();
      const volume = await rawSource(path);
      try {
        const fs = await openNtfs(volume);
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

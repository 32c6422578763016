/** The partition tables of the corpora's disks, against what other programs read in them. */
import { statSync } from "node:fs";
import t from "tap";
import { outcome } from "../../src/volume/reading.js";
import { DiskError } from "../../src/errors.js";
import { corpus, truthOf, withCorpus } from "../support/corpora.js";
import { placesOf, volumesOf } from "./support.js";

/**
 * What the catalogue calls schemes, as we do. A disk whose table is of a kind that we do not read is one volume,
 * or the MBR that it has for others' sake.
 */
const KINDS: Readonly<Record<string, RegExp>> = {
  dos: /^mbr$/,
  "dos+bsd": /^mbr$/,
  gpt: /^gpt$/,
  none: /^none$/,
  "none(+dos)": /^none$/,
  bsd: /^(none|mbr)$/,
  atari: /^none$/,
  lvm2: /^none$/,
};

t.test("every raw image has the partitions that the catalogue says, and none is misread", async (t) => {
  const images = corpus.filter(({ format }) => format === "raw");
  for (const kind of ["dos", "gpt", "none"])
    t.ok(
      images.some(({ scheme }) => scheme === kind),
      kind,
    );
  for (const image of images) {
    await withCorpus(image, async (path) => {
      const table = await outcome(volumesOf(path));
      if (table instanceof DiskError) {
        t.ok(!image.isGood && image.scheme !== "none", `${image.path}: ${table.message}`);
        return;
      }
      // A damaged table may be read as another; damaged contents may not be read as a table.
      if (!image.isGood && image.scheme !== "none") return;
      t.match(table.kind, KINDS[image.scheme]!, `${image.path}: ${table.kind}, ${table.warnings.join("; ")}`);
      const truth = truthOf(`truth/${image.id}.parts.tsv`);
      if (truth === undefined) return;
      const factor = table.sectorSize / 512;
      const expected = partitionsOf(truth, factor, statSync(path).size);
      // The truth counts 512-byte sectors throughout, and so has no logical partitions where they are larger.
      t.same(
        placesOf(table).filter(([number]) => factor === 1 || number! < 5),
        expected,
        image.path,
      );
    });
  }
});

/** The truth shows extended partitions too, and does not clip. */
function partitionsOf(truth: string[], factor: number, size: number): number[][] {
  return truth
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split("\t"))
    .filter(([, , , type]) => !["5", "f", "85"].includes(type!))
    .map(
      ([number, start, length]) => [Number(number), Number(start) * factor, Number(length) * factor] as const,
    )
    .map(([number, start, length]) => [number, start, Math.max(0, Math.min(length, size - start))]);
}

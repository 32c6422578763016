/** Disks that nobody here made. Without the folder beside the project there is nothing to read. */
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import t from "tap";
import { outcome } from "../../src/volume/reading.js";
import { DiskError } from "../../src/errors.js";
import { placesOf, volumesOf } from "./support.js";

const CORPORA = "../shared/corpora";

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

const images = existsSync(CORPORA)
  ? readFileSync(`${CORPORA}/catalogue.tsv`, "utf8")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.split("\t"))
      .map(([path, format, scheme, , , quality, id]) => ({
        path: path!,
        format,
        scheme: scheme!,
        quality,
        id: id!,
      }))
      .filter(({ format }) => format === "raw")
  : [];

t.test("every raw image has the partitions that the catalogue says, and none is misread", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "vdisk-corpora-"));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const image = join(folder, "image");
  for (const { path, scheme, quality, id } of images) {
    await pipeline(createReadStream(`${CORPORA}/${path}.gz`), createGunzip(), createWriteStream(image));
    const table = await outcome(volumesOf(image));
    if (table instanceof DiskError) {
      t.ok(quality === "corrupt" && scheme !== "none", `${path}: ${table.message}`);
      continue;
    }
    // A damaged table may be read as another; damaged contents may not be read as a table.
    if (quality === "corrupt" && scheme !== "none") continue;
    t.match(table.kind, KINDS[scheme]!, `${path}: ${table.kind}, ${table.warnings.join("; ")}`);
    const truth = `${CORPORA}/truth/${id}.parts.tsv`;
    if (!existsSync(truth)) continue;
    const factor = table.sectorSize / 512;
    const expected = partitionsOf(truth, factor, statSync(image).size);
    // The truth counts 512-byte sectors throughout, and so has no logical partitions where they are larger.
    t.same(
      placesOf(table).filter(([number]) => factor === 1 || number! < 5),
      expected,
      path,
    );
  }
});

/** The truth shows extended partitions too, and does not clip. */
function partitionsOf(path: string, factor: number, size: number): number[][] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split("\t"))
    .filter(([, , , type]) => !["5", "f", "85"].includes(type!))
    .map(
      ([number, start, length]) => [Number(number), Number(start) * factor, Number(length) * factor] as const,
    )
    .map(([number, start, length]) => [number, start, Math.max(0, Math.min(length, size - start))]);
}

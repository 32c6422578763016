/**
 * The corpora's images, through the library as a whole. test/filesystem/ reads those that are a file system
 * and nothing else, test/volume/ the partition tables of the raw ones.
 */
import t, { type Test } from "tap";
import { DiskError, openDisk, type Disk } from "../src/index.js";
import { hashOf, readWhatIsReadable, walk } from "./filesystem/ext/support.js";
import { corpus, truthOf, withCorpus, type CorpusImage } from "./support/corpora.js";

const SOON = 10_000; // milliseconds
/** KiB: all images one after another, and what the tests themselves take. An image alone takes 170 MiB at most. */
const MEMORY_LIMIT = 512 * 2 ** 10;

/** What a complaint about a format must call it. */
const FORMAT_NAMES: Readonly<Record<string, RegExp>> = {
  vmdk: /VMDK/,
  vhdx: /VHDX/,
  qcow: /QCOW/,
  qcow2: /QCOW/,
  qed: /QED/,
  parallels: /Parallels/,
  dmg: /DMG/,
};

const containerOf = (image: CorpusImage): string => image.format.split(":")[0]!;
/** Whether a file system that we read is on it; of several, one. */
const isKnown = (image: CorpusImage): boolean => /(ext[234]?|fat\d*|ntfs)(\+|$)/.test(image.fileSystem);
const images = corpus.filter((image) => image.format !== "raw" || image.scheme !== "none" || !isKnown(image));

for (const image of images) {
  t.test(`${image.path}: ${image.format}, ${image.fileSystem}, ${image.isGood ? "good" : "damaged"}`, (t) =>
    withCorpus(image, async (path) => {
      const started = performance.now();
      const disk = await openDisk(path).catch((error: unknown) => {
        if (error instanceof DiskError) return error;
        throw error;
      });
      if (disk instanceof DiskError) refused(t, image, disk);
      else {
        try {
          await (image.isGood ? isRight(t, image, disk) : survives(t, image, disk));
        } finally {
          await disk.close();
        }
      }
      t.ok(performance.now() - started < SOON, "soon");
    }),
  );
}

t.test("reading all of them takes little memory", (t) => {
  t.comment(`${images.length} images`);
  for (const isGood of [true, false]) {
    t.ok(images.some((image) => image.isGood === isGood && containerOf(image) === "vdi"));
    t.ok(images.some((image) => image.isGood === isGood && image.scheme === "dos"));
  }
  for (const format of Object.keys(FORMAT_NAMES).filter((name) => !["qcow", "dmg"].includes(name)))
    t.ok(
      images.some((image) => containerOf(image) === format),
      `a ${format} was refused`,
    );
  t.ok(process.resourceUsage().maxRSS < MEMORY_LIMIT, `${process.resourceUsage().maxRSS} KiB`);
  t.end();
});

function refused(t: Test, image: CorpusImage, error: DiskError): void {
  const name = FORMAT_NAMES[containerOf(image)];
  t.ok(name !== undefined || !image.isGood, error.message);
  if (name === undefined) return;
  t.equal(error.code, "UNSUPPORTED");
  t.match(error.message, name);
}

async function isRight(t: Test, image: CorpusImage, disk: Disk): Promise<void> {
  t.notOk(containerOf(image) in FORMAT_NAMES, "a container is not shown as if it were a disk");
  const whole = truthOf(`truth/${image.id}.disk.sha256`);
  if (whole !== undefined) {
    t.equal(`${await hashOf(disk.source, 0, disk.source.size)}  ${disk.source.size}`, whole[0]);
  }
  const shown = disk.parts.filter(({ fileSystem }) => fileSystem !== undefined);
  if (!isKnown(image)) {
    t.equal(shown.length, 0, "no other file system is taken for one of ours");
    t.equal((await readWhatIsReadable(disk.tree)).errors.length, 0);
    return;
  }
  t.ok(shown.length > 0);
  const files: string[] = [];
  for (const { volume, fileSystem } of shown) {
    for await (const { path, id, attributes } of walk(fileSystem!)) {
      // The truth leaves out what begins with "$", as NTFS's own files do.
      if (attributes.type !== "file" || path.startsWith("/24")) continue;
      const name = Buffer.from(path.slice(1).replaceAll("/", "2f"), "hex").toString("latin1");
      const source = await fileSystem!.open(id);
      const way = disk.table.kind === "none" ? name : `p${volume.number}/${name}`;
      files.push(`${await hashOf(source, 0, source.size)}  ${way}`);
    }
  }
  // What lies on partitions whose file systems we do not read is in the truth too.
  const others = disk.parts.filter(({ fileSystem }) => fileSystem === undefined);
  const isRead = (line: string): boolean =>
    !others.some(({ volume }) => line.slice(66).startsWith(`p${volume.number}/`));
  // The truth about NTFS leaves out all that begins with "$" in the root: the file system's own, and $RECYCLE.BIN.
  const isTold = (line: string): boolean =>
    !image.fileSystem.includes("ntfs") || !/^.{66}(p\d+\/)?\$/.test(line);
  t.same(files.filter(isTold).sort(), truthOf(image.truth)!.filter(isRead).sort());
}

async function survives(t: Test, image: CorpusImage, disk: Disk): Promise<void> {
  const { nodes, errors } = await readWhatIsReadable(disk.tree);
  t.comment(`${nodes} nodes, ${errors.length} errors, ${disk.warnings.join("; ")}`);
  if (!isKnown(image) || containerOf(image) in FORMAT_NAMES) {
    t.notOk(
      disk.parts.some(({ fileSystem }) => fileSystem !== undefined),
      "nothing is taken for what it is not",
    );
  }
}

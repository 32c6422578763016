/** Files that claim blocks of the file system's own metadata: the kernel, with its check of blocks, is the judge. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { CorruptError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { mounted, run, withFolder, withImage } from "./support.js";

/** Source: asm-generic/errno.h. */
const EUCLEAN = 117;

const BLOCK = 1024;
const GROUP_BLOCKS = 8192;

const LAYOUTS: Readonly<Record<string, readonly string[]>> = {
  "ext4 with flexible groups": ["-t", "ext4", "-J", "size=4"],
  "ext4 with metadata in each group": ["-t", "ext4", "-O", "^flex_bg,^metadata_csum", "-J", "size=4"],
  "ext4 with meta_bg": ["-t", "ext4", "-O", "meta_bg,^resize_inode", "-J", "size=4"],
  ext3: ["-t", "ext3", "-J", "size=4"],
  // One call of the mapping reads 64 tables, of 256 blocks each.
  "ext3 with a journal of many tables": ["-t", "ext3", "-J", "size=18"],
  ext2: ["-t", "ext2"],
};

/** The blocks that dumpe2fs names in the line of group `group` that has `label`: first and last. */
function blocksOf(dump: string, group: number, label: string): [first: number, last: number] | undefined {
  const part = dump.split(/^Group /m).find((part) => part.startsWith(`${group}:`)) ?? "";
  const found = new RegExp(`${label} at (\\d+)(?:-(\\d+))?`).exec(part);
  return found === null ? undefined : [Number(found[1]), Number(found[2] ?? found[1])];
}

/** Where the kernel must refuse to read, by name; and blocks without metadata. */
function targets(image: string): Record<"system" | "free", Record<string, number>> {
  const dump = run("dumpe2fs", image);
  const debugfs = (command: string): string => run("debugfs", "-R", command, image);
  const system: Record<string, number> = {};
  for (const group of [0, 1, 3])
    for (const label of [
      "superblock",
      "Group descriptors?",
      "Reserved GDT blocks",
      "Block bitmap",
      "Inode bitmap",
    ]) {
      const found = blocksOf(dump, group, label);
      if (found !== undefined) system[`${label} of group ${group}`] = found[1];
    }
  for (const group of [0, 1, 2]) {
    const [first, last] = blocksOf(dump, group, "Inode table")!;
    system[`first block of the inode table of group ${group}`] = first;
    system[`last block of the inode table of group ${group}`] = last;
  }
  const journal = debugfs("blocks <8>")
    .trim()
    .split(/\s+/)
    .map(Number)
    .filter((block) => block > 0);
  if (journal.length > 0) system["last block of the journal"] = journal.at(-1)!;
  const other = Number(debugfs("blocks /other").trim().split(/\s+/)[0]);
  return { system, free: { "another file": other, "the end of the last group": 5 * GROUP_BLOCKS - 5 } };
}

/** Makes block `block` the first of /victim, which has one. */
function claim(image: string, block: number): void {
  const isTree = run("debugfs", "-R", "stat /victim", image).includes("EXTENTS");
  run("debugfs", "-w", "-R", `set_inode_field /victim block[${isTree ? 5 : 0}] ${block}`, image);
}

const quotedLabels = (label: string): string => label.replace("?", "");

for (const [name, options] of Object.entries(LAYOUTS)) {
  t.test(`${name}: what the kernel refuses as a file's block is damaged, and nothing else`, (t) =>
    withFolder(async (folder) => {
      const files = join(folder, "files");
      mkdirSync(files);
      writeFileSync(join(files, "victim"), Buffer.alloc(BLOCK, "v"));
      writeFileSync(join(files, "other"), Buffer.alloc(BLOCK, "o"));
      const image = join(folder, "image");
      run("mke2fs", "-q", "-F", "-b", `${BLOCK}`, ...options, "-d", files, image, "40M");
      const { system, free } = targets(image);
      t.ok(Object.keys(system).length >= 10, `${Object.keys(system).length} places`);
      for (const [place, block] of Object.entries({ ...system, ...free })) {
        claim(image, block);
        const kernel = await mounted(image, folder, "ro", (at) => reads(join(at, "victim")));
        const ours = await withImage(image, async (fs) => {
          const source = await fs.open((await fs.lookup(fs.root, Buffer.from("victim")))!);
          const other = await fs.open((await fs.lookup(fs.root, Buffer.from("other")))!);
          t.equal((await read(other, 0, BLOCK)).toString(), "o".repeat(BLOCK));
          return read(source, 0, BLOCK).catch((error: unknown) => {
            if (!(error instanceof CorruptError)) throw error;
            return undefined;
          });
        });
        t.equal(kernel === undefined, place in system, `the kernel: ${quotedLabels(place)}`);
        t.strictSame(ours, kernel, `${quotedLabels(place)}, block ${block}`);
      }
    }),
  );
}

/** The contents of the file at `path`; undefined where the kernel says that the file system is damaged. */
function reads(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as { errno?: number }).errno === -EUCLEAN) return undefined;
    throw error;
  }
}

t.test("of an extent that reaches into an inode table, the blocks before it are read", (t) =>
  withFolder(async (folder) => {
    const files = join(folder, "files");
    mkdirSync(files);
    writeFileSync(join(files, "victim"), Buffer.alloc(4 * BLOCK, "v"));
    const image = join(folder, "image");
    const features = "^flex_bg,^metadata_csum,^has_journal";
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", `${BLOCK}`, "-O", features, "-d", files, image, "40M");
    const dump = run("dumpe2fs", image);
    // Group 2 has no copy of the superblock: its bitmaps and its table are what it begins with.
    const [first] = blocksOf(dump, 2, "Block bitmap")!;
    claim(image, first - 2);
    await withImage(image, async (fs) => {
      const source = await fs.open((await fs.lookup(fs.root, Buffer.from("victim")))!);
      t.strictSame(await read(source, 0, 2 * BLOCK), Buffer.alloc(2 * BLOCK));
      for (const block of [2, 3]) await t.rejects(read(source, block * BLOCK, BLOCK), { code: "CORRUPT" });
      t.strictSame(
        (await source.map(0, 4 * BLOCK)).map(({ kind, length }) => [kind, length]),
        [
          ["stored", 2 * BLOCK],
          ["damaged", 2 * BLOCK],
        ],
      );
    });
  }),
);

t.test("a table of blocks in an inode table: the blocks that need it are damaged", (t) =>
  withFolder(async (folder) => {
    const files = join(folder, "files");
    mkdirSync(files);
    const contents = Buffer.alloc(20 * BLOCK, "v");
    writeFileSync(join(files, "victim"), contents);
    const image = join(folder, "image");
    run("mke2fs", "-q", "-F", "-t", "ext2", "-b", `${BLOCK}`, "-d", files, image, "40M");
    const [first] = blocksOf(run("dumpe2fs", image), 1, "Inode table")!;
    run("debugfs", "-w", "-R", `set_inode_field /victim block[IND] ${first}`, image);
    // Linux does not check where such a table lies, and takes the zeros of unused inodes for holes.
    await withImage(image, async (fs) => {
      const source = await fs.open((await fs.lookup(fs.root, Buffer.from("victim")))!);
      t.strictSame(await read(source, 0, 12 * BLOCK), contents.subarray(0, 12 * BLOCK));
      for (const block of [12, 19]) await t.rejects(read(source, block * BLOCK, BLOCK), { code: "CORRUPT" });
    });
  }),
);

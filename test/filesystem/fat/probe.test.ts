/** What is taken for a FAT, and what is not; boot sectors that are damaged, strange, or none. */
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { CorruptError } from "../../../src/errors.js";
import { memorySource } from "../../../src/extent/runs.js";
import { fatDriver } from "../../../src/filesystem/fat/fat.js";
import { openFileSystem } from "../../../src/filesystem/filesystems.js";
import { openDisk } from "../../../src/tree/disk.js";
import { withFolder } from "../ext/support.js";
import { damaged } from "../../volume/support.js";
import { entry, FatBuilder } from "./builder.js";
import { contentsAt, namesIn, openBytes, tool } from "./support.js";

/** A FAT with one file in it. */
function withFile(width: 12 | 16 | 32, clusterCount: number): FatBuilder {
  const image = new FatBuilder({ width, clusterCount });
  image.put(Buffer.from("contents"), [3]);
  image.root(entry("FILE", { firstCluster: 3, size: 8 }));
  return image;
}

t.test("the number of clusters alone tells FAT12 from FAT16", async (t) => {
  for (const [clusterCount, type] of [
    [1, "fat12"],
    [4084, "fat12"],
    [4085, "fat16"],
    [65_524, "fat16"],
  ] as const) {
    const image = new FatBuilder({ width: type === "fat12" ? 12 : 16, clusterCount });
    image.bytes.write("FAT99   ", 0x36, "latin1"); // what is said there is not believed
    t.equal((await openBytes(image.bytes)).facts.type, type, `${clusterCount} clusters`);
  }
  const many = new FatBuilder({ width: 16, clusterCount: 65_525 });
  await t.rejects(openBytes(many.bytes), CorruptError);
  t.equal((await openBytes(new FatBuilder({ width: 32, clusterCount: 65_525 }).bytes)).facts.type, "fat32");
  // Some format tools make FAT32 of fewer clusters; its 32-bit length and its root in a chain leave no doubt.
  t.equal((await openBytes(new FatBuilder({ width: 32, clusterCount: 100 }).bytes)).facts.type, "fat32");
});

t.test("a FAT is found without a jump, without a signature, and with a media byte of its own", async (t) => {
  for (const width of [12, 16, 32] as const) {
    const image = withFile(width, { 12: 300, 16: 5000, 32: 6000 }[width]);
    const changes: ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.fill(0, 0, 3),
      (bytes) => bytes.writeUInt16LE(0, 510),
      (bytes) => (bytes[0x15] = 0),
      (bytes) => bytes.fill(0, 0, 3).writeUInt16LE(0, 510),
      (bytes) => bytes.write("\x60\x1cATARI", 0, "latin1"),
    ];
    for (const change of changes) {
      const bytes = Buffer.from(image.bytes);
      change(bytes);
      if (width === 32) bytes.fill(0, 6 * 512, 7 * 512); // not by its copy
      t.same(await namesIn(await openBytes(bytes)), ["FILE"]);
      await withFolder(async (folder) => {
        const path = join(folder, "image");
        writeFileSync(path, bytes);
        const disk = await openDisk(path);
        t.same(
          disk.parts.map(({ fileSystem }) => fileSystem?.facts.type),
          [`fat${width}`],
          "on a disk without partitions, too",
        );
        await disk.close();
      });
    }
  }
});

t.test("a FAT whose first entries are wrong is found by its boot sector, and told", async (t) => {
  const image = withFile(16, 5000);
  for (const fat of image.fatOffsets) image.bytes.fill(0, fat, fat + 4);
  const fs = await openBytes(image.bytes);
  t.match(fs.facts.warnings, ["the first two entries of the FAT are invalid"]);
  image.bytes.writeUInt16LE(0, 510);
  t.equal(await fatDriver.open(memorySource(image.bytes, "image")), undefined);
});

t.test("FAT32's second boot sector serves where the first is damaged, blank or unreadable", async (t) => {
  const image = withFile(32, 6000);
  const cases: ((bytes: Buffer) => void)[] = [
    (bytes) => bytes.fill(0, 0, 512),
    (bytes) => bytes.fill(0xff, 0, 512),
    (bytes) => bytes.writeUInt16LE(0, 0x0b),
    (bytes) => bytes.writeUInt32LE(0, 0x24),
    (bytes) => bytes.writeUInt32LE(1, 0x2c),
    (bytes) => bytes.fill(0, 0x0b, 0x30),
  ];
  for (const change of cases) {
    const bytes = Buffer.from(image.bytes);
    change(bytes);
    const fs = await openBytes(bytes);
    t.match(fs.facts, { type: "fat32", uuid: "1234-ABCD" });
    t.match(fs.facts.warnings, ["the boot sector is damaged, its copy in sector 6 is used"]);
    t.equal((await contentsAt(fs, "file")).toString(), "contents");
  }
  const unreadable = await fatDriver.open(damaged(memorySource(image.bytes, "image"), 0, 512));
  t.match(unreadable!.facts.warnings, ["the boot sector cannot be read, its copy in sector 6 is used"]);
});

t.test("what was written over a FAT32 is not taken for the remains of it", async (t) => {
  const image = withFile(32, 6000);
  image.bytes.fill("another boot sector, with code in it. ", 0, 512);
  t.equal(await fatDriver.open(memorySource(image.bytes, "image")), undefined);
  image.bytes.write("\xeb\x52\x90NTFS    ", 0, "latin1");
  t.equal(await fatDriver.open(memorySource(image.bytes, "image")), undefined);
});

t.test("floppies of DOS 1 are known by their size and the FAT's first byte", async (t) => {
  for (const [media, sectors, sectorsPerCluster, fatSectors, rootSectors] of [
    [0xfe, 320, 1, 1, 4],
    [0xfc, 360, 1, 2, 4],
    [0xff, 640, 2, 1, 7],
    [0xfd, 720, 2, 2, 7],
  ] as const) {
    const bytes = Buffer.alloc(sectors * 512, 0xf6);
    bytes.fill("IBM's code, of 1981. ", 0, 512);
    const root = (1 + 2 * fatSectors) * 512;
    bytes.fill(0, 512, root + rootSectors * 512);
    for (const fat of [512, 512 + fatSectors * 512]) bytes.set([media, 0xff, 0xff, 0xff, 0x0f, 0x00], fat);
    entry("COMMAND COM", { firstCluster: 2, size: 5 }).copy(bytes, root);
    bytes.write("hello", root + rootSectors * 512);
    const fs = await openBytes(bytes);
    t.equal(fs.facts.type, "fat12");
    t.equal((await contentsAt(fs, "command.com")).toString(), "hello");
    const usage = await fs.usage(fs.root);
    t.equal(usage.blockSize, 512 * sectorsPerCluster);
    bytes[512] = 0xf9;
    t.equal(await fatDriver.open(memorySource(bytes, "image")), undefined);
  }
});

t.test("other file systems, tables and noise are no FAT", (t) =>
  withFolder(async (folder) => {
    const path = join(folder, "image");
    const makers: [kind: string | undefined, ...command: string[]][] = [
      ["ext4", "mke2fs", "-q", "-F", "-t", "ext4", path],
      ["exfat", "mkfs.exfat", path],
      ["ntfs", "mkfs.ntfs", "-q", "-F", "-f", path],
      [undefined, "mkswap", path],
      [
        undefined,
        "sh",
        "-c",
        `truncate -s 0 ${path}; truncate -s 48M ${path}; printf 'label: dos\\n,,c,*\\n' | sfdisk -q ${path}`,
      ],
      [
        undefined,
        "sh",
        "-c",
        `truncate -s 0 ${path}; truncate -s 48M ${path}; printf 'label: gpt\\n,,U\\n' | sfdisk -q ${path}`,
      ],
      [undefined, "sh", "-c", `head -c 8000000 /dev/urandom > ${path}`],
    ];
    for (const [kind, ...command] of makers) {
      // Each over a FAT32 that was there before; a table leaves its boot sector as it is, and is known by others.
      writeFileSync(path, "");
      truncateSync(path, 48 * 2 ** 20);
      tool("mkfs.fat", "-F", "32", "-s", "1", path);
      tool(command[0]!, ...command.slice(1));
      const volume = memorySource(readFileSync(path), "image");
      t.equal((await openFileSystem(volume))?.facts.type, kind, command.join(" "));
    }
  }),
);

t.test("a state that is not clean is told", async (t) => {
  for (const width of [16, 32] as const) {
    const clusterCount = width === 16 ? 5000 : 6000;
    const all = width === 16 ? 0xffff : 0x0fffffff;
    const [clean, errors] = width === 16 ? [0x8000, 0x4000] : [0x08000000, 0x04000000];
    const warnings = async (change: (image: FatBuilder) => void): Promise<readonly string[]> => {
      const image = new FatBuilder({ width, clusterCount });
      change(image);
      return (await openBytes(image.bytes)).facts.warnings;
    };
    const dirty = ["the file system was not unmounted cleanly"];
    t.same(await warnings(() => undefined), []);
    t.same(
      await warnings((image) => {
        image.link(1, all - clean);
      }),
      dirty,
    );
    t.same(await warnings((image) => (image.bytes[width === 16 ? 0x25 : 0x41] = 1)), dirty);
    t.same(
      await warnings((image) => {
        image.link(1, all - errors);
      }),
      ["the guest had read or write errors on this volume"],
    );
  }
});

t.test("a serial number of 0, or none, is no uuid; the boot sector's label is only a detail", async (t) => {
  const image = withFile(16, 5000);
  image.bytes.write("BOOT LABEL ", 0x2b, "latin1");
  const { facts } = await openBytes(image.bytes);
  t.equal(facts.label, undefined);
  t.match(facts.details, { bootLabel: "BOOT LABEL", clusterCount: 5000, clusterSize: 512, sectorSize: 512 });
  t.equal(facts.uuid, "1234-ABCD");
  image.bytes[0x26] = 0;
  t.match((await openBytes(image.bytes)).facts, { uuid: undefined, details: { bootLabel: undefined } });
});

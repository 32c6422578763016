/** Two readers of one damaged directory at the same time: both learn of the damage, until it can be read. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { HostError } from "../../src/errors.js";
import type { BlockSource } from "../../src/extent/extent.js";
import { memorySource } from "../../src/extent/runs.js";
import { listEntries, pagesOf } from "../../src/filesystem/entries.js";
import { extDriver } from "../../src/filesystem/ext/ext.js";
import { fatDriver } from "../../src/filesystem/fat/fat.js";
import type { FileSystemDriver } from "../../src/filesystem/filesystem.js";
import { ntfsDriver } from "../../src/filesystem/ntfs/ntfs.js";
import { run, withFolder } from "./ext/support.js";
import { makeImage, mountedByNtfs3g } from "./ntfs/support.js";

const COUNT = 1500;
const nameOf = (index: number): string => String(index).padStart(5, "0") + "x".repeat(195);

/** A source of `image` whose 4096 bytes from `start` on cannot be read until `host.isHealed`. */
function damagedSource(image: Buffer, start: number, host: { isHealed: boolean }): BlockSource {
  const whole = memorySource(image, "image");
  const end = start + 4096;
  const error = new HostError({ file: "image", offset: start, thing: "a block" }, "EIO");
  return {
    ...whole,
    async map(offset, length) {
      const extents = [];
      for (const [from, to, isDamaged] of [
        [0, start, false],
        [start, end, !host.isHealed],
        [end, image.length, false],
      ] as const) {
        const at = Math.max(from, offset);
        const size = Math.min(to, offset + length) - at;
        if (size <= 0) continue;
        if (isDamaged) extents.push({ kind: "damaged" as const, length: size, error });
        else extents.push(...(await whole.map(at, size)));
      }
      return extents;
    },
  };
}

/** The block that contains `name`. */
const blockOf = (image: Buffer, name: Buffer): number => Math.floor(image.indexOf(name) / 4096) * 4096;

/** The index block that contains `name`. */
function indexBlockOf(image: Buffer, name: Buffer): number {
  for (let at = 0; at < image.length; at += 4096)
    if (image.toString("latin1", at, at + 4) === "INDX" && image.subarray(at, at + 4096).includes(name))
      return at;
  throw new Error("no index block has the name");
}

interface Kind {
  readonly name: string;
  readonly driver: FileSystemDriver;
  /** Makes the file system `image` in `folder`, with directory "big", in which `fill` makes the files. */
  make(folder: string, image: string, fill: (directory: string) => void): void | Promise<void>;
  /** The block of directory "big" that has the name of file 1000. */
  find(image: Buffer): number;
}

const KINDS: Kind[] = [
  {
    name: "ext",
    driver: extDriver,
    make(folder, image, fill) {
      fill(join(folder, "files/big"));
      run(
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext2",
        "-b",
        "4096",
        "-N",
        "4096",
        "-d",
        join(folder, "files"),
        image,
        "32M",
      );
    },
    find: (image) => blockOf(image, Buffer.from(nameOf(1000))),
  },
  {
    name: "FAT",
    driver: fatDriver,
    make(folder, image, fill) {
      fill(join(folder, "big"));
      run("mkfs.fat", "-C", "-F", "32", "-s", "8", image, String(400 * 1024));
      run("mcopy", "-s", "-i", image, join(folder, "big"), "::/");
    },
    find: (image) => blockOf(image, Buffer.from("01000", "utf16le")),
  },
  {
    name: "NTFS",
    driver: ntfsDriver,
    async make(folder, _, fill) {
      const image = makeImage(folder, 32);
      await mountedByNtfs3g(image, folder, "rw", (mountPoint) => {
        fill(join(mountPoint, "big"));
      });
    },
    find: (image) => indexBlockOf(image, Buffer.from(nameOf(1000), "utf16le")),
  },
];

for (const kind of KINDS) {
  t.test(`${kind.name}: two readers learn of a directory's damage, until the host can read it`, async (t) => {
    const image = await withFolder(async (folder) => {
      await kind.make(folder, join(folder, "image"), (directory) => {
        mkdirSync(directory, { recursive: true });
        for (let index = 0; index < COUNT; index++) writeFileSync(join(directory, nameOf(index)), "");
      });
      return readFileSync(join(folder, "image"));
    });
    const host = { isHealed: false };
    const fs = (await kind.driver.open(damagedSource(image, kind.find(image), host)))!;
    const big = (await fs.lookup(fs.root, Buffer.from("big")))!;
    let count = 0;
    const list = async (): Promise<void> => {
      count = 0;
      for await (const entries of pagesOf(fs, big, { limit: 40 })) {
        count += entries.length;
        await listEntries(fs, big, 0, { limit: 1 });
      }
    };
    await t.rejects(list(), HostError);
    t.ok(count > COUNT - 50 && count < COUNT, `${count} entries are sound`);
    host.isHealed = true;
    await list();
    t.equal(count, COUNT);
  });
}

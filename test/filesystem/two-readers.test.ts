/** Two readers of one damaged directory at the same time: both learn of the damage. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { CorruptError } from "../../src/errors.js";
import type { BlockSource } from "../../src/extent/extent.js";
import { memorySource } from "../../src/extent/runs.js";
import { listEntries, pagesOf } from "../../src/filesystem/entries.js";
import { extDriver } from "../../src/filesystem/ext/ext.js";
import { fatDriver } from "../../src/filesystem/fat/fat.js";
import type { FileSystemDriver } from "../../src/filesystem/filesystem.js";
import { run, withFolder } from "./ext/support.js";

const COUNT = 1500;
const nameOf = (index: number): string => String(index).padStart(5, "0") + "x".repeat(195);

/** `image`, in which the sectors that contain the name of file 1000 cannot be read. */
function damagedSource(image: Buffer, needle: Buffer): BlockSource {
  const whole = memorySource(image, "image");
  const start = Math.floor(image.indexOf(needle) / 4096) * 4096;
  const end = start + 4096;
  const error = new CorruptError({ file: "image", offset: start, thing: "a block" });
  return {
    ...whole,
    async map(offset, length) {
      const runs = [];
      for (const [from, to, isDamaged] of [
        [0, start, false],
        [start, end, true],
        [end, image.length, false],
      ] as const) {
        const at = Math.max(from, offset);
        const size = Math.min(to, offset + length) - at;
        if (size <= 0) continue;
        if (isDamaged) runs.push({ kind: "damaged" as const, length: size, error });
        else runs.push(...(await whole.map(at, size)));
      }
      return runs;
    },
  };
}

const KINDS: [string, FileSystemDriver, (files: string, image: string) => void, Buffer][] = [
  [
    "ext",
    extDriver,
    (files, image) =>
      run("mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", "-N", "4096", "-d", files, image, "32M"),
    Buffer.from(nameOf(1000)),
  ],
  [
    "FAT",
    fatDriver,
    (files, image) => {
      run("mkfs.fat", "-C", "-F", "32", "-s", "8", image, String(400 * 1024));
      run("mcopy", "-s", "-i", image, join(files, "big"), "::/");
    },
    Buffer.from("01000", "utf16le"),
  ],
];

for (const [name, driver, make, needle] of KINDS) {
  t.test(`${name}: a second reader that begins anew does not hide the damage from the first`, async (t) => {
    const image = await withFolder(async (folder) => {
      const files = join(folder, "files");
      mkdirSync(join(files, "big"), { recursive: true });
      for (let index = 0; index < COUNT; index++) writeFileSync(join(files, "big", nameOf(index)), "");
      make(files, join(folder, "image"));
      return readFileSync(join(folder, "image"));
    });
    const fs = (await driver.open(damagedSource(image, needle)))!;
    const big = (await fs.lookup(fs.root, Buffer.from("big")))!;
    let count = 0;
    const list = async (): Promise<void> => {
      for await (const entries of pagesOf(fs, big, { limit: 40 })) {
        count += entries.length;
        await listEntries(fs, big, 0, { limit: 1 });
      }
    };
    await t.rejects(list(), CorruptError);
    t.ok(count > COUNT - 50 && count < COUNT, `${count} entries are sound`);
  });
}

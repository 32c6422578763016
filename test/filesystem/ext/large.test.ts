/** A file system of very many groups lets others have their turn while its groups are counted. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { BlockSource } from "../../../src/extent/extent.js";
import { memorySource } from "../../../src/extent/runs.js";
import { extDriver } from "../../../src/filesystem/ext/ext.js";
import { EXT_SUPERBLOCK_OFFSET } from "../../../src/extent/signatures.js";
import { Superblock } from "../../../src/filesystem/ext/superblock.js";
import { run, withFolder } from "./support.js";

/** Milliseconds within which others must have had a turn. */
const LONGEST_TURN = 50;

/** `image`, and zeros behind it up to `size`. */
function padded(image: Buffer, size: number): BlockSource {
  const held = memorySource(image, "image");
  return {
    name: "image",
    size,
    async map(offset, length) {
      const inside = Math.max(0, Math.min(length, image.length - offset));
      const extents = inside > 0 ? await held.map(offset, inside) : [];
      return inside === length ? extents : [...extents, { kind: "zero", length: length - inside }];
    },
  };
}

/** How many turns of the event loop others had while `use` ran, and how many milliseconds it took. */
async function turnsDuring(use: () => Promise<unknown>): Promise<{ turns: number; elapsed: number }> {
  let turns = 0;
  const start = performance.now();
  const timer = setInterval(() => turns++, 1);
  await use();
  clearInterval(timer);
  return { turns, elapsed: performance.now() - start };
}

for (const log of [12, 14, 16]) {
  t.test(`the descriptors of 2^${log} groups are counted beside other work`, (t) =>
    withFolder(async (folder) => {
      const files = join(folder, "files");
      mkdirSync(files);
      const path = join(folder, "image");
      const features = "^metadata_csum,^has_journal,^resize_inode,meta_bg,64bit";
      run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-O", features, "-d", files, path, "16M");
      const image = readFileSync(path);
      const { inodeCount, inodesPerGroup, blockCountLow, blockCountHigh } = Superblock.fields;
      const write = (field: { offset: number }, value: number): unknown =>
        image.writeUInt32LE(value, EXT_SUPERBLOCK_OFFSET + field.offset);
      const blocks = 2 ** log * 8192;
      write(inodeCount, 2 ** log * image.readUInt32LE(EXT_SUPERBLOCK_OFFSET + inodesPerGroup.offset));
      write(blockCountLow, blocks % 2 ** 32);
      write(blockCountHigh, Math.floor(blocks / 2 ** 32));
      const fs = (await extDriver.open(padded(image, blocks * 1024)))!;
      t.ok(await fs.lookup(fs.root, Buffer.from("lost+found")));
      const { turns, elapsed } = await turnsDuring(async () => fs.usage(fs.root));
      t.ok(turns >= Math.floor(elapsed / LONGEST_TURN), `others had ${turns} turns in ${elapsed} ms`);
    }),
  );
}

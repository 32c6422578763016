import { execFileSync } from "node:child_process";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { FileSystem } from "../../../src/filesystem/filesystem.js";
import {
  contentDifference,
  kernelStat,
  kernelWalk,
  listAll,
  mounted,
  ourStat,
  pathOf,
  run,
  walk,
  withFolder,
  withImage,
} from "./support.js";

/** Name, size in MiB, arguments of mke2fs, what the populating script is to add, arguments of tune2fs. */
const IMAGES: readonly [name: string, size: number, mke2fs: string, wants: string, tune2fs?: string][] = [
  ["ext2 as of 1995", 96, "-t ext2 -r 0 -b 1024 -I 128 -O none", ""],
  ["ext2 with 4 KiB blocks", 128, "-t ext2 -b 4096 -I 256", "many longlinks extra"],
  ["ext3 with 2 KiB blocks", 128, "-t ext3 -b 2048 -I 128", "many"],
  ["ext4 as it is made by default", 192, "-t ext4 -b 4096", "many extents longlinks huge extra"],
  [
    "ext4 with everything",
    256,
    "-t ext4 -b 4096 -I 512 -O inline_data,ea_inode,metadata_csum_seed,large_dir,encrypt,orphan_file",
    "many extents longlinks huge extra inline ea_inode",
    "-O project,quota",
  ],
  [
    "ext4 with 1 KiB blocks, bigalloc and inline data",
    256,
    "-t ext4 -b 1024 -C 16384 -I 256 -O bigalloc,inline_data,metadata_csum,sparse_super2,^resize_inode -E num_backup_sb=2",
    "extents extra inline",
  ],
  [
    "ext4 with meta_bg and gdt_csum",
    192,
    "-t ext4 -b 1024 -O meta_bg,^resize_inode,^metadata_csum,uninit_bg,^64bit -g 2048 -I 128",
    "extents",
  ],
  [
    "ext4 with inline data in inodes of 1 KiB",
    96,
    "-t ext4 -b 4096 -I 1024 -O inline_data,ea_inode,^has_journal,^flex_bg",
    "extents inline extra ea_inode",
  ],
];

async function compare(t: Test, fs: FileSystem, mountPoint: string): Promise<void> {
  const kernel = new Map(kernelWalk(mountPoint).map((node) => [node.path, node]));
  const wrong: string[] = [];
  let count = 0;
  for await (const { path, id, attributes, entry } of walk(fs)) {
    count++;
    const node = kernel.get(path);
    const name = pathOf("", path).toString();
    if (node === undefined) {
      wrong.push(`${name}: not there to the kernel`);
      continue;
    }
    const theirs = kernelStat(pathOf(mountPoint, path));
    const ours = ourStat(attributes);
    for (const key of Object.keys(theirs)) {
      if (theirs[key] !== ours[key])
        wrong.push(`${name}: ${key} ${String(ours[key])}, kernel ${String(theirs[key])}`);
    }
    if (entry?.type !== undefined && entry.type !== attributes.type)
      wrong.push(`${name}: listed as ${entry.type}`);
    const xattrs = [...(await fs.extendedAttributes(id))]
      .map(([key, value]) => `${key}=${value.toString("hex")}`)
      .sort();
    const expected = Object.entries(node.xattrs)
      .map(([key, value]) => `${key}=${value}`)
      .sort();
    if (xattrs.join() !== expected.join())
      wrong.push(`${name}: attributes ${xattrs.join()}, kernel ${expected.join()}`);
    if (node.target !== undefined && (await fs.readLink(id)).toString("hex") !== node.target)
      wrong.push(`${name}: target`);
    if (node.segments !== undefined) {
      const difference = await contentDifference(fs, id, node.segments);
      if (difference !== undefined) wrong.push(`${name}: ${difference}`);
    }
  }
  if (count !== kernel.size) wrong.push(`${count} nodes, kernel ${kernel.size}`);
  t.same(wrong.slice(0, 20), [], `${count} nodes are as the kernel has them`);

  const usage = await fs.usage(fs.root);
  const s = statfsSync(mountPoint);
  const shown = [s.bsize, s.blocks, s.bfree, s.bavail, s.files, s.ffree];
  const { blockSize, blocks, freeBlocks, availableBlocks, files, freeFiles } = usage;
  t.same(
    [blockSize, blocks, freeBlocks, availableBlocks, files, freeFiles],
    shown,
    "the usage is as statfs has it",
  );
  t.same(ourStat(await fs.attributes(fs.root)), kernelStat(Buffer.from(mountPoint)), "and the root");
}

async function lookUpAll(t: Test, fs: FileSystem): Promise<void> {
  const wrong: string[] = [];
  for (const { id } of await directoriesOf(fs)) {
    for (const entry of await listAll(fs, id)) {
      if ((await fs.lookup(id, entry.name)) !== entry.id) wrong.push(entry.name.toString());
    }
    if ((await fs.lookup(id, Buffer.from("no such name"))) !== undefined) wrong.push("no such name");
  }
  t.same(wrong, [], "every listed name is found");
}

async function directoriesOf(fs: FileSystem): Promise<{ id: number }[]> {
  const all = [{ id: fs.root }];
  for await (const { id, attributes } of walk(fs)) if (attributes.type === "directory") all.push({ id });
  return all.slice(0, 400);
}

for (const [name, size, mke2fs, wants, tune2fs] of IMAGES) {
  t.test(`${name} is read as the kernel reads it`, (t) =>
    withFolder(async (folder) => {
      const image = join(folder, "image");
      execFileSync("truncate", ["-s", `${size}M`, image]);
      run("mke2fs", "-q", "-F", ...mke2fs.split(" "), image);
      await mounted(image, folder, "rw", (mountPoint) => {
        run("python3", join(import.meta.dirname, "populate.py"), mountPoint, ...wants.split(" "));
      });
      // This kernel cannot write with quotas; reading does not need them.
      if (tune2fs !== undefined) run("tune2fs", ...tune2fs.split(" "), image);
      await mounted(image, folder, "ro,noload", (mountPoint) =>
        withImage(image, async (fs) => {
          t.same(fs.facts.warnings, []);
          await compare(t, fs, mountPoint);
          await lookUpAll(t, fs);
        }),
      );
    }),
  );
}

t.test("a directory with more subdirectories than links can be counted is read as the kernel reads it", (t) =>
  withFolder(async (folder) => {
    const image = join(folder, "image");
    execFileSync("truncate", ["-s", "420M", image]);
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-N", "70000", image);
    const count = 65_100; // past EXT4_LINK_MAX, 65,000
    const script = `import os\nfor i in range(${count}): os.mkdir('%s/%d' % ('MOUNT', i))`;
    await mounted(image, folder, "rw", (mountPoint) =>
      run("python3", "-c", script.replace("MOUNT", mountPoint)),
    );
    await withImage(image, async (fs) => {
      t.equal((await fs.attributes(fs.root)).linkCount, 1, "the count has given up");
      const names = new Map((await listAll(fs, fs.root)).map((entry) => [entry.name.toString(), entry.id]));
      t.equal(names.size, count + 1);
      const started = performance.now();
      for (const [name, id] of names) if ((await fs.lookup(fs.root, Buffer.from(name))) !== id) t.fail(name);
      const each = (performance.now() - started) / names.size;
      t.ok(each < 2, `a look-up takes ${(each * 1000).toFixed(1)} µs`);
    });
  }),
);

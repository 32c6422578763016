/** A file system with everything in it, in a GPT partition, mounted by us and by the kernel. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { output, ROOT, run, vdisk } from "../support/command.js";
import { place } from "../support/place.js";

const PARTITION = 2 ** 20; // bytes: where sfdisk puts the first one

/** A raw disk with one ext4 partition that holds every kind of file, attribute, name and time. */
async function populatedDisk(folder: string): Promise<string> {
  const disk = join(folder, "disk.img");
  const root = join(folder, "root");
  mkdirSync(root);
  await output("truncate", "-s", "320M", disk);
  await output("sh", "-c", `echo 'label: gpt\nstart=2048, size=614400' | sfdisk --quiet "${disk}"`);
  await output(
    "mke2fs",
    "-q",
    "-t",
    "ext4",
    "-O",
    "ea_inode,inline_data",
    "-I",
    "256",
    "-E",
    `offset=${PARTITION}`,
    disk,
    "300M",
  );
  await output("mount", "-o", `loop,offset=${PARTITION}`, disk, root);
  try {
    await output(
      "python3",
      join(ROOT, "test/filesystem/ext/populate.py"),
      root,
      "near",
      "extents",
      "extra",
      "ea_inode",
      "inline",
    );
  } finally {
    await output("umount", root);
  }
  return disk;
}

t.test(
  "each backend shows what the kernel's own mount shows, in every name, attribute and byte",
  async (t) => {
    const folder = t.testdir();
    const [judge, ours] = [place(t), place(t)];
    const disk = await populatedDisk(folder);
    await output("mount", "-o", `ro,loop,offset=${PARTITION}`, disk, judge);
    const compare = (...ignored: string[]) =>
      run("python3", [
        join(ROOT, "test/support/compare_trees.py"),
        judge,
        join(ours, "fs0"),
        ...ignored.flatMap((field) => ["--ignore", field]),
      ]);

    t.equal((await vdisk("mount", disk, ours)).code, 0);
    const native = await compare();
    t.equal(native.code, 0, native.stdout);
    t.match(native.stdout, /^\d{4,} entries, \d+ bytes, 0 differences/);
    t.equal(
      await output("stat", "-f", "-c", "%T %s %b %f %a %c %d %l", judge).then(space),
      await output("stat", "-f", "-c", "%T %s %b %f %a %c %d %l", join(ours, "fs0")).then(space),
    );
    t.equal((await vdisk("unmount", ours)).code, 0);

    // fuse-native has no room for nanoseconds, nor for names that are not text: both are in its own tests.
    t.equal((await vdisk("mount", "--fuse-backend", "fuse-native", disk, ours)).code, 0);
    const portable = await compare("st_atime_ns", "st_mtime_ns", "st_ctime_ns");
    const differences = portable.stdout
      .split("\n")
      .filter((line) => !/^b'(names|symlinks\/bytes|xattrs\/bytes)'?/.test(line));
    t.match(differences.join("\n"), /^\d{4,} entries, \d+ bytes, \d differences\n$/, portable.stdout);
    t.equal((await vdisk("unmount", ours)).code, 0);
  },
);

/** statfs without the name of the file system's kind. */
function space(text: string): string {
  return text.replace(/^\S+ /, "");
}

import t from "tap";
import { EPOCH } from "../../src/bytes/time.js";
import { read } from "../../src/extent/read.js";
import type { FileSystem } from "../../src/filesystem/filesystem.js";
import { composeTree } from "../../src/tree/compose.js";
import type { Disk } from "../../src/tree/disk.js";
import type { SyntheticNode } from "../../src/tree/synthetic.js";
import { findNode } from "../../src/tree/path.js";
import { link, plainTree } from "../support/plain-tree.js";

const system = plainTree({
  etc: { "os-release": link("../usr/lib/os-release"), fstab: "fstab", alternatives: link("/usr/lib") },
  usr: { lib: { "os-release": "Example", up: link("../../../../../etc/fstab") } },
  loop: link("loop2"),
  loop2: link("/loop"),
  "with\nnewline": "odd",
});

/** A disk of which only the tree and the parts matter. */
function diskOf(...fileSystems: FileSystem[]): Disk {
  const entries = new Map<string, SyntheticNode>([
    ["disk.vdi", { kind: "symlink", target: "/somewhere/disk.vdi" }],
  ]);
  fileSystems.forEach((tree, index) => entries.set(`fs${index}`, { kind: "tree", tree }));
  return {
    source: { name: "disk.vdi", size: 0, map: async () => [] },
    parts: fileSystems.map((fileSystem, index) => ({ volume: { index }, fileSystem })),
    tree: composeTree({ kind: "directory", entries }, { uid: 0, gid: 0, time: EPOCH }),
  } as unknown as Disk;
}

async function contents(disk: Disk, path: string): Promise<string> {
  const { id } = await findNode(disk, path, true);
  const source = await disk.tree.open(id);
  return (await read(source, 0, source.size)).toString();
}

t.test("a path is looked up in the tree, one from / on in the only file system", async (t) => {
  const disk = diskOf(system);
  t.equal(await contents(disk, "fs0/etc/fstab"), "fstab");
  t.equal(await contents(disk, "/etc/fstab"), "fstab");
  t.equal(await contents(disk, "//etc/./fstab"), "fstab");
  t.equal(await contents(disk, "fs0/usr/../../fs0/etc/fstab"), "fstab");
  t.equal((await findNode(disk, "", true)).id, 1);
  t.equal((await findNode(disk, "/", true)).attributes.inode, 2);
});

t.test("links are followed as the guest would: from its root, and never out of it", async (t) => {
  const disk = diskOf(system);
  t.equal(await contents(disk, "/etc/os-release"), "Example");
  t.equal(await contents(disk, "fs0/etc/alternatives/os-release"), "Example");
  t.equal(await contents(disk, "fs0/usr/lib/up"), "fstab");
  t.equal(await contents(disk, "/../../etc/fstab"), "fstab");
  t.equal((await findNode(disk, "fs0/etc/os-release", false)).attributes.type, "symlink");
  t.equal(
    (await findNode(disk, "disk.vdi", true)).attributes.type,
    "symlink",
    "the host's link is not the guest's",
  );
});

t.test("a name that is printed with \\xNN is found by that", async (t) => {
  t.equal(await contents(diskOf(system), "/with\\x0anewline"), "odd");
});

t.test(
  "links in a loop are a CorruptError, a name that is not there a MissingError that says which",
  async (t) => {
    await t.rejects(findNode(diskOf(system), "/loop", true), {
      name: "CorruptError",
      message: /symbolic links/,
    });
    await t.rejects(findNode(diskOf(system), "/etc/nothing/x", true), {
      code: "MISSING",
      message: 'no such file in the image: /etc/nothing/x ("nothing" does not exist in /etc)',
    });
    await t.rejects(findNode(diskOf(system), "fs0/etc/alternatives/none", true), {
      message: 'no such file in the image: fs0/etc/alternatives/none ("none" does not exist in fs0/usr/lib)',
    });
    await t.rejects(findNode(diskOf(system), "fs1/etc", true), {
      message: 'no such file in the image: fs1/etc ("fs1" does not exist in the top directory)',
    });
    await t.rejects(findNode(diskOf(system), "/etc/fstab/x", true), {
      code: "MISSING",
      message: "no such file in the image: /etc/fstab/x (/etc/fstab is a regular file, not a directory)",
    });
    await t.rejects(findNode(diskOf(system), "/etc/fstab/", true), {
      code: "MISSING",
      message: "no such directory in the image: /etc/fstab/ (it is a regular file)",
    });
  },
);

t.test("with several file systems, / means the one that looks like a root", async (t) => {
  const boot = plainTree({ grub: {} }, "ext2", "boot");
  t.equal(await contents(diskOf(boot, system), "/etc/fstab"), "fstab");
  await t.rejects(findNode(diskOf(boot, boot), "/etc/fstab", true), {
    message: /fs0 \(ext2 "boot"\), fs1 \(ext2 "boot"\)/,
  });
  await t.rejects(findNode(diskOf(system, system), "/etc/fstab", true), { message: /fs0 .*, fs1/ });
  await t.rejects(findNode(diskOf(), "/etc/fstab", true), { code: "MISSING" });
});

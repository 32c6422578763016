/** Whole trees, in every geometry, as ntfs-3g shows them that wrote them. */
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
  ourStat,
  pathOf,
  run,
  walk,
  withFolder,
} from "../ext/support.js";
import { makeImage, mountedByNtfs3g, withNtfs } from "./support.js";

/** Name, size in MiB, arguments of mkntfs, what the populating script is to add. */
const IMAGES: readonly [name: string, size: number, mkntfs: string, wants: string][] = [
  ["clusters of 4 KiB, as it is made by default", 160, "-c 4096", "compression many"],
  ["clusters of 512 bytes, smaller than a record", 96, "-c 512", "compression"],
  ["clusters of 1 KiB", 96, "-c 1024", "compression"],
  ["clusters of 2 KiB", 96, "-c 2048", "compression"],
  ["clusters of 64 KiB, where index blocks count otherwise", 256, "-c 65536", ""],
  ["clusters of 2 MiB", 12288, "-c 2097152", ""],
  ["sectors of 4 KiB, records of 4 KiB", 192, "-s 4096 -c 4096", "compression many"],
  ["sectors of 256 bytes", 96, "-s 256 -c 4096", ""],
];

/** What ntfs-3g tells of a node that we tell otherwise, on purpose: the mode, and who owns it. */
const OURS = ["mode", "uid", "gid", "btime", "blksize"];

/** Names that are not listed, but there. */
const HIDDEN = [
  "acl",
  "attrib",
  "attrib_be",
  "reparse_data",
  "object_id",
  "dos_name",
  "times",
  "times_be",
  "crtime",
  "crtime_be",
  "ea",
].map((name) => `system.ntfs_${name}`);

const ASK = String.raw`
import os, sys, json
names = sys.argv[2].split(",")
for line in sys.stdin:
    path = b"/".join([os.fsencode(sys.argv[1])] + [bytes.fromhex(part) for part in line.strip().split("/")[1:]])
    out = {}
    for name in names:
        try: out[name] = os.getxattr(path, name, follow_symlinks=False).hex()
        except OSError: pass
    print(json.dumps(out))
`;

/** What ntfs-3g has under the names that are not listed, for each of `paths`. */
function hiddenAttributes(mountPoint: string, paths: readonly string[]): Record<string, string>[] {
  const out = execFileSync("python3", ["-c", ASK, mountPoint, HIDDEN.join()], {
    input: paths.map((path) => `${path}\n`).join(""),
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  });
  return out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, string>);
}

async function compare(t: Test, fs: FileSystem, mountPoint: string): Promise<void> {
  const theirs = new Map(kernelWalk(mountPoint).map((node) => [node.path, node]));
  const paths = [...theirs.keys()];
  const hidden = new Map(hiddenAttributes(mountPoint, paths).map((values, index) => [paths[index]!, values]));
  const wrong: string[] = [];
  let count = 0;
  for await (const { path, id, attributes, entry } of walk(fs)) {
    count++;
    const node = theirs.get(path);
    const name = pathOf("", path).toString();
    if (node === undefined) {
      wrong.push(`${name}: not there to ntfs-3g`);
      continue;
    }
    const stat = kernelStat(pathOf(mountPoint, path));
    const ours = ourStat(attributes);
    for (const key of Object.keys(stat)) {
      if (!OURS.includes(key) && stat[key] !== ours[key])
        wrong.push(`${name}: ${key} ${String(ours[key])}, ntfs-3g ${String(stat[key])}`);
    }
    if (entry?.type !== undefined && entry.type !== attributes.type)
      wrong.push(`${name}: listed as ${entry.type}`);
    const xattrs = [...(await fs.extendedAttributes(id))].map(
      ([key, value]) => `${key}=${value.toString("hex")}`,
    );
    const expected = Object.entries(node.xattrs).map(([key, value]) => `${key}=${value}`);
    if (xattrs.sort().join() !== expected.sort().join())
      wrong.push(
        `${name}: attributes ${xattrs.join().slice(0, 300)}, ntfs-3g ${expected.join().slice(0, 300)}`,
      );
    for (const key of HIDDEN) {
      const value = (await fs.extendedAttribute!(id, key))?.toString("hex");
      const other = hidden.get(path)![key];
      if (value !== other) wrong.push(`${name}: ${key} ${String(value)}, ntfs-3g ${String(other)}`);
    }
    if (node.target !== undefined && (await fs.readLink(id)).toString("hex") !== node.target)
      wrong.push(`${name}: target`);
    if (node.segments !== undefined) {
      const difference = await contentDifference(fs, id, node.segments);
      if (difference !== undefined) wrong.push(`${name}: ${difference}`);
    }
  }
  if (count !== theirs.size) wrong.push(`${count} nodes, ntfs-3g ${theirs.size}`);
  t.same(wrong.slice(0, 20), [], `${count} nodes are as ntfs-3g has them`);

  const usage = await fs.usage(fs.root);
  const { bsize, blocks, bfree, bavail } = statfsSync(mountPoint);
  const shown = [usage.blockSize, usage.blocks, usage.freeBlocks, usage.availableBlocks];
  t.same(shown, [bsize, blocks, bfree, bavail], "the usage is as statfs has it");
}

async function lookUpAll(t: Test, fs: FileSystem): Promise<void> {
  const wrong: string[] = [];
  const directories = [fs.root];
  for await (const { id, attributes } of walk(fs)) if (attributes.type === "directory") directories.push(id);
  for (const id of directories) {
    for (const entry of await listAll(fs, id)) {
      if ((await fs.lookup(id, entry.name)) !== entry.id) wrong.push(entry.name.toString());
    }
    if ((await fs.lookup(id, Buffer.from("no such name"))) !== undefined) wrong.push("no such name");
  }
  t.same(wrong, [], "every listed name is found");
}

for (const [name, size, mkntfs, wants] of IMAGES) {
  t.test(`${name}: all is read as ntfs-3g reads it`, (t) =>
    withFolder(async (folder) => {
      const image = makeImage(folder, size, ...mkntfs.split(" "));
      await mountedByNtfs3g(image, folder, "compression", (mountPoint) => {
        run("python3", join(import.meta.dirname, "populate.py"), mountPoint, ...wants.split(" "));
      });
      await mountedByNtfs3g(image, folder, "ro", (mountPoint) =>
        withNtfs(image, async (fs) => {
          t.same(fs.facts.warnings, []);
          await compare(t, fs, mountPoint);
          await lookUpAll(t, fs);
        }),
      );
    }),
  );
}

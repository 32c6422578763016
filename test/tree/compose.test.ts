import { utimes } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { EPOCH } from "../../src/bytes/time.js";
import { CorruptError } from "../../src/errors.js";
import { memorySource } from "../../src/extent/runs.js";
import { damagedEntryName, NO_NODE } from "../../src/filesystem/damaged-entry.js";
import {
  NODE_ID_LIMIT,
  type FileSystem,
  type NodeId,
  type NodeTree,
} from "../../src/filesystem/filesystem.js";
import { openDisk } from "../../src/tree/disk.js";
import { composeTree } from "../../src/tree/compose.js";
import { inspect, listDirectory } from "../../src/tree/walk.js";
import { plainTree } from "../support/plain-tree.js";
import { listEntries } from "../../src/filesystem/entries.js";
import { PageBuilder } from "../../src/filesystem/page-builder.js";

const tree = composeTree(
  {
    kind: "directory",
    entries: new Map([
      ["disk.vdi", { kind: "symlink", target: "/vm/disk.vdi" }],
      ["vhdd", { kind: "file", source: memorySource(Buffer.alloc(4097), "vhdd"), storedSize: 1000 }],
      ["fs0", { kind: "tree", tree: plainTree({ a: { b: "0" } }) }],
      ["fs1", { kind: "tree", tree: plainTree({ a: { b: "11" }, c: "", d: "", e: "" }) }],
    ]),
  },
  { uid: 1000, gid: 100, time: { seconds: 7, nanoseconds: 8 } },
);

async function find(...names: string[]): Promise<NodeId> {
  let id = tree.root;
  for (const name of names) id = (await tree.lookup(id, Buffer.from(name)))!;
  return id;
}

t.test(
  "the root is node 1 and lists the fixtures in their order, with the inode numbers that stat shows",
  async (t) => {
    t.equal(tree.root, 1);
    const entries = await listEntries(tree, 1, 0);
    t.same(
      entries.map((entry) => [entry.name.toString(), entry.type]),
      [
        ["disk.vdi", "symlink"],
        ["vhdd", "file"],
        ["fs0", "directory"],
        ["fs1", "directory"],
      ],
    );
    for (const entry of entries)
      t.equal(entry.inode, (await tree.attributes(entry.id)).inode, entry.name.toString());
    t.equal((await tree.attributes(1)).linkCount, 4);
  },
);

t.test(
  "fixtures belong to their owner, take what they take on the host, and are as old as told",
  async (t) => {
    const attributes = await tree.attributes(await find("vhdd"));
    t.match(attributes, {
      type: "file",
      size: 4097,
      uid: 1000,
      gid: 100,
      permissions: 0o444,
      allocatedSectors: 2,
    });
    t.same(attributes.modified, { seconds: 7, nanoseconds: 8 });
    t.equal((await tree.readLink(await find("disk.vdi"))).toString(), "/vm/disk.vdi");
  },
);

t.test("a damaged entry of a tree is listed with its problem, and has no node number", async (t) => {
  const problem = new CorruptError("the entry");
  const guest: FileSystem = {
    ...plainTree({ sound: "" }),
    page: async () => {
      const builder = new PageBuilder();
      builder.addDamaged(damagedEntryName(0x1a40), 1, problem);
      return builder.finish(true);
    },
  };
  const entries = new Map([["fs0", { kind: "tree", tree: guest } as const]]);
  const composed = composeTree({ kind: "directory", entries }, { uid: 0, gid: 0, time: EPOCH });
  const id = (await composed.lookup(composed.root, Buffer.from("fs0")))!;
  const { entries: listed } = await listDirectory(composed, id);
  t.match(listed, [{ name: Buffer.from("damaged-directory-entry-0x1a40"), id: NO_NODE, problem }]);
  t.same(await inspect(composed, listed[0]!), { entry: listed[0], problem });
});

t.test("nodes of two trees keep their own inode numbers, and are different nodes", async (t) => {
  const [first, second] = [await find("fs0", "a", "b"), await find("fs1", "a", "b")];
  t.equal(second - first, NODE_ID_LIMIT, "each has as many numbers as it may need");
  t.equal((await tree.attributes(first)).inode, (await tree.attributes(second)).inode);
  t.equal((await tree.attributes(first)).size, 1);
  t.equal((await tree.open(second)).size, 2);
});

t.test(
  "a directory that comes in batches is read whole, sorted by name, and its entries lead on",
  async (t) => {
    const { entries, problem } = await listDirectory(tree, await find("fs1"));
    t.equal(problem, undefined);
    t.same(entries.map((entry) => entry.name.toString()).sort(), ["a", "c", "d", "e"]);
    for (const entry of entries) t.equal(entry.id, await find("fs1", entry.name.toString()));
  },
);

t.test("a node that is not there is a MissingError", async (t) => {
  const missing: NodeTree["root"][] = [0, 99, 3 * NODE_ID_LIMIT + 2, 2 ** 53, -1, NaN];
  for (const id of missing) await t.rejects(async () => tree.attributes(id), { code: "MISSING" });
});

t.test("a file that takes nothing on the host is shown to take nothing", async (t) => {
  const empty = composeTree(
    {
      kind: "directory",
      entries: new Map([["x", { kind: "file", source: memorySource(Buffer.alloc(9), "x"), storedSize: 0 }]]),
    },
    { uid: 0, gid: 0, time: EPOCH },
  );
  t.equal((await empty.attributes(2)).allocatedSectors, 0);
});

t.test("an image from before 1970 has its time, to the part of a second, in the tree", async (t) => {
  const path = join(t.testdir({ "old.img": Buffer.alloc(512) }), "old.img");
  await utimes(path, new Date(-500), new Date(-500));
  const disk = await openDisk(path);
  const { modified } = await disk.tree.attributes(disk.tree.root);
  t.same(modified, { seconds: -1, nanoseconds: 500_000_000 });
  await disk.close();
});

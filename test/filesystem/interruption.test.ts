/** Loops over directories end once the request that they work for is interrupted. */
import t from "tap";
import { Interrupted } from "../../src/extent/time-slice.js";
import type { NodeTree } from "../../src/filesystem/filesystem.js";
import { loadBase } from "../fuzz/images/bases.js";
import { openImages, treeOf } from "../fuzz/images/examine.js";
import { memoryStorage } from "../fuzz/images/storage.js";
import { Random } from "../fuzz/random.js";
import { listEntries } from "../../src/filesystem/entries.js";

const ABORTED = { aborted: true };

/** The tree that a mount of this image shows, and the root of the file system in it. */
async function opened(base: string): Promise<{ tree: NodeTree; root: number }> {
  const view = await openImages([memoryStorage(loadBase(base).files[0]!, base)], new Random(1));
  const tree = treeOf(view);
  return { tree, root: (await tree.lookup(tree.root, Buffer.from("fs0")))! };
}

for (const base of ["ext2", "ext4", "fat12", "fat32", "exfat", "ntfs"])
  t.test(`${base}: listing a directory ends once its request is interrupted`, async (t) => {
    const { tree, root } = await opened(base);
    await t.rejects(listEntries(tree, root, 0, { signal: ABORTED }), Interrupted);
    await t.rejects(listEntries(tree, root, 0, { attributes: true, signal: ABORTED }), Interrupted);
    await t.rejects(
      listEntries(tree, root, 0, { limit: 1, signal: ABORTED }),
      Interrupted,
      "a few entries of it",
    );
    const names = await listEntries(tree, root, 0, { signal: { aborted: false } });
    t.ok(names.length > 2, "and it can be listed later");
  });

for (const base of ["fat12", "exfat"])
  t.test(`${base}: so does a look-up that reads a directory`, async (t) => {
    const { tree, root } = await opened(base);
    await t.rejects(tree.lookup(root, Buffer.from("nowhere"), ABORTED), Interrupted);
    t.equal(await tree.lookup(root, Buffer.from("nowhere")), undefined, "a later one reads on");
  });

/** Pages of directories: how they are built, and that a listing can be continued after any entry, in every file system. */
import { isDeepStrictEqual } from "node:util";
import t from "tap";
import { CorruptError } from "../../src/errors.js";
import { blankAttributes, TYPE_CODES, UNKNOWN_TYPE } from "../../src/filesystem/attributes.js";
import { NO_NODE } from "../../src/filesystem/damaged-entry.js";
import { entriesIn, listEntries, pageOf, pagesOf } from "../../src/filesystem/entries.js";
import type { Attributes, NodeTree } from "../../src/filesystem/filesystem.js";
import { PageBuilder } from "../../src/filesystem/page-builder.js";
import { loadBase } from "../fuzz/images/bases.js";
import { openImages, treeOf } from "../fuzz/images/examine.js";
import { memoryStorage } from "../fuzz/images/storage.js";
import { Random } from "../fuzz/random.js";

t.test("a page has the entries that were added, however many and however long their names are", async (t) => {
  const builder = new PageBuilder();
  const names = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${"ä".repeat(index % 200)}${index}`));
  const problem = new CorruptError("the entry");
  for (const [index, name] of names.entries()) {
    if (index % 7 === 3) builder.addDamaged(name, index + 1, problem);
    else builder.add(index + 10, index % 2 === 0 ? TYPE_CODES.file : UNKNOWN_TYPE, index + 1, name);
  }
  const page = builder.finish(false);
  t.same([page.count, page.isLast], [3000, false]);
  for (const [index, entry] of entriesIn(page).entries()) {
    const isDamaged = index % 7 === 3;
    const expected = {
      name: names[index],
      id: isDamaged ? NO_NODE : index + 10,
      inode: isDamaged ? NO_NODE : index + 10,
      type: !isDamaged && index % 2 === 0 ? "file" : undefined,
      cookie: index + 1,
      ...(isDamaged && { problem }),
    };
    if (!isDeepStrictEqual(entry, expected)) t.same(entry, expected);
  }
});

t.test("a page without entries is the last, whatever its builder says", async (t) => {
  t.equal(new PageBuilder().finish(false).isLast, true);
});

t.test("attributes that are read for one entry leave nothing for the next", async (t) => {
  const { device, flags, created, ...plain } = blankAttributes();
  t.same([device, flags, created], [undefined, undefined, undefined]);
  const block = { ...plain, type: "block", device: { major: 8, minor: 1 }, flags: 0x10 } as const;
  const file = { ...plain, size: 3, created: { seconds: 5, nanoseconds: 6 } };
  const entry = (attributes: Attributes, cookie: number) => ({
    ...{ name: Buffer.from(`${cookie}`), id: cookie, cookie, attributes },
  });
  const page = pageOf([entry(block, 1), entry(file, 2), entry(block, 3)], true);
  const into = blankAttributes();
  for (const [index, expected] of [block, file, block].entries()) {
    t.ok(page.readAttributes(index, into));
    t.same(into, { ...blankAttributes(), ...expected });
    if (into.created !== undefined) into.created.seconds = 9;
  }
  t.equal(file.created.seconds, 5, "the entry's own attributes are not changed");
});

/** Directories of a tree that are compared, and entries of each after which a listing is continued. */
const DIRECTORIES = 12;
const PLACES = 12;

async function* directoriesIn(tree: NodeTree): AsyncGenerator<number> {
  const pending = [(await tree.lookup(tree.root, Buffer.from("fs0")))!];
  for (let count = 0; pending.length > 0 && count < DIRECTORIES; count++) {
    const id = pending.shift()!;
    yield id;
    for await (const page of pagesOf(tree, id))
      for (const entry of page)
        if ((await tree.attributes(entry.id)).type === "directory") pending.push(entry.id);
  }
}

for (const base of ["ext2", "ext4", "fat12", "fat32", "exfat", "ntfs"])
  t.test(
    `${base}: a listing continues after any entry, with the attributes of single requests`,
    async (t) => {
      const view = await openImages([memoryStorage(loadBase(base).files[0]!, base)], new Random(1));
      const tree = treeOf(view);
      let compared = 0;
      for await (const id of directoriesIn(tree)) {
        const all = [];
        for await (const page of pagesOf(tree, id, { attributes: true })) all.push(...page);
        t.same(await listEntries(tree, id, all.at(-1)?.cookie ?? 0).then(({ length }) => length), 0);
        const step = Math.max(1, Math.floor(all.length / PLACES));
        for (let at = 0; at < all.length; at += step) {
          const { name, cookie, attributes } = all[at]!;
          const short = await listEntries(tree, id, at === 0 ? 0 : all[at - 1]!.cookie, { limit: 1 });
          t.same(short[0]?.name, name);
          const page = await listEntries(tree, id, cookie, { attributes: true });
          t.strictSame(page, all.slice(at + 1, at + 1 + page.length));
          if (attributes !== undefined) t.same(attributes, await tree.attributes(all[at]!.id));
          compared++;
        }
      }
      t.ok(compared > 10, `${compared} places`);
      const into = blankAttributes();
      for await (const id of directoriesIn(tree)) {
        const page = await tree.page(id, 0, { attributes: true });
        for (const [index, { attributes }] of entriesIn(page).entries()) {
          t.equal(page.readAttributes(index, into), attributes !== undefined);
          if (attributes !== undefined) t.same(into, attributes, "also if one object is set again and again");
        }
      }
    },
  );

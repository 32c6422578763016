/** Two readers of one directory at the same time, whose kept page is dropped in between. */
import t from "tap";
import { entriesIn, pageOf } from "../../../src/filesystem/entries.js";
import type { NodeTree } from "../../../src/filesystem/filesystem.js";
import { KeptPages } from "../../../src/fuse/native/kept-pages.js";

/** A tree whose directories have pages of ten files: the file after cookie `n` has the name `n + 1`. */
const tree = {
  page: async (_, cookie) =>
    pageOf(
      Array.from({ length: 10 }, (_, index) => {
        const next = cookie + index + 1;
        return { name: Buffer.from(String(next)), id: next, cookie: next };
      }),
      false,
    ),
} as Partial<NodeTree> as NodeTree;

t.test("a page that is kept again continues behind the same entries", async (t) => {
  const kept = new KeptPages(tree);
  kept.keep(1, await kept.after(1, 0, {}));
  const place = kept.after(1, 5, {}); // a reader in the middle of the page
  kept.drop(1); // another one has reached the end
  kept.keep(1, await place);
  const { page, from } = await kept.after(1, 5, {});
  t.equal(String(entriesIn(page)[from]!.name), "6");
});

/** The server's own caches, when the tree has changed. */
import t from "tap";
import { ChangeFeed } from "../../../src/bytes/changes.js";
import type { BlockSource } from "../../../src/extent/extent.js";
import { memorySource } from "../../../src/extent/runs.js";
import type { NodeChange, NodeId, NodeTree } from "../../../src/filesystem/filesystem.js";
import type { DirectoryPage, PageOptions } from "../../../src/filesystem/page.js";
import { noReadAhead } from "../../../src/fuse/native/read-ahead.js";
import { FakeTree, pattern, patterned } from "../support/tree.js";
import { direntsOf, kernel, words32, words64, type Kernel } from "../support/wire.js";

const [READ, READDIRPLUS] = [15, 44] as const;

/** A tree of one file, whose contents can be exchanged, and of a directory of many entries. */
class ChangingTree extends FakeTree implements NodeTree {
  readonly changes = new ChangeFeed<NodeChange>();
  readonly fileId: NodeId;
  readonly many: NodeId;
  source: BlockSource = memorySource(Buffer.alloc(100, "a"), "first");
  pages = 0;

  constructor() {
    super();
    this.fileId = this.file(this.top, "file", patterned(100)).id;
    const many = this.directory(this.top, "many");
    for (let index = 0; index < 900; index++) this.file(many, `entry ${index}`, patterned(1));
    this.many = many.id;
  }

  override async open(id: number): Promise<BlockSource> {
    return id === this.fileId ? this.source : super.open(id);
  }

  override async page(id: number, cookie: number, options?: PageOptions): Promise<DirectoryPage> {
    this.pages++;
    return super.page(id, cookie, options);
  }

  /** All below the root has changed. */
  change(): void {
    this.changes.emit({ kind: "subtree", parent: 1, name: Buffer.from("fs0"), start: 2, end: 1000 });
  }
}

/** Lets everything run that waits for nothing but its turn. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
};

const readAt = async ({ ask }: Kernel, id: NodeId): Promise<string> =>
  (await ask(READ, id, words64(0, 0), words32(4096, 0), Buffer.alloc(16))).body.toString();
const listFrom = async ({ ask }: Kernel, id: NodeId, offset: number | bigint) =>
  direntsOf(
    (await ask(READDIRPLUS, id, words64(0, offset), words32(32_768, 0), Buffer.alloc(16))).body,
    true,
  );

t.test(
  "the source of a file is opened again, and the threads' caches are emptied before the kernel's",
  async (t) => {
    const tree = new ChangingTree();
    const served = await kernel(tree);
    t.equal(await readAt(served, tree.fileId), "a".repeat(100));
    tree.source = memorySource(Buffer.alloc(50, "b"), "second");
    t.equal(await readAt(served, tree.fileId), "a".repeat(100), "cached");
    tree.change();
    t.equal(await readAt(served, tree.fileId), "b".repeat(50));
    const entry = Buffer.concat([
      words32(16 + 16 + 4, 3),
      words64(0, 1),
      words32(3, 0),
      Buffer.from("fs0\0"),
    ]);
    const inode = Buffer.concat([words32(16 + 24, 2), words64(0, tree.fileId, 0, 0)]);
    t.same(served.invalidated, ["clear", Buffer.concat([entry, inode]).toString("hex")]);

    tree.changes.emit({ kind: "contents", id: 7, offset: 2 ** 40, length: 4096 });
    const part = Buffer.concat([words32(16 + 24, 2), words64(0, 7, 2 ** 40, 4096)]);
    t.same(served.invalidated.slice(2), ["clear", part.toString("hex")]);
  },
);

t.test("a window that was being mapped when its file changed is not passed", async (t) => {
  const tree = new ChangingTree();
  const served = await kernel(tree);
  let release!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  const bytes = memorySource(pattern(0, 100), "slow");
  let maps = 0;
  tree.source = {
    ...bytes,
    async map(offset, length) {
      if (++maps === 2) await released; // the window; the first is the read itself
      return bytes.map(offset, length);
    },
  };
  await readAt(served, tree.fileId);
  await settle();
  t.equal(maps, 2);
  tree.change();
  release();
  await settle();
  t.same(served.windows, []);
  await readAt(served, tree.fileId);
  await settle();
  t.equal(served.windows.length, 1);
});

t.test("the rest of a page that did not fit into a reply is read again", async (t) => {
  const tree = new ChangingTree();
  const served = await kernel(tree, undefined, undefined, () => noReadAhead);
  const { off } = (await listFrom(served, tree.many, 0)).at(-1)!;
  t.equal(tree.pages, 1);
  const second = await listFrom(served, tree.many, off);
  t.equal(tree.pages, 1, "cached");
  tree.change();
  t.ok((await listFrom(served, tree.many, second.at(-1)!.off)).length > 0);
  t.equal(tree.pages, 2);
});

/** Trees in memory: one with everything that is difficult to show, and a large one. */
import { CorruptError } from "../../../src/errors.js";
import { damagedEntryName, NO_NODE } from "../../../src/filesystem/damaged-entry.js";
import type { BlockSource, Extent } from "../../../src/extent/extent.js";
import { pageOf, type DirectoryEntry } from "../../../src/filesystem/entries.js";
import type { Attributes, NodeTree, NodeType } from "../../../src/filesystem/filesystem.js";
import type { DirectoryPage, PageOptions } from "../../../src/filesystem/page.js";
import type { Storage } from "../../../src/storage/storage.js";

export interface Node {
  readonly id: number;
  readonly attributes: Attributes;
  readonly names?: Map<string, Node>; // by name as latin1
  readonly target?: Buffer;
  readonly source?: BlockSource;
  readonly extended: Map<string, Buffer>;
  /** Its attributes cannot be read. */
  readonly lost?: boolean;
  /** The position of a damaged entry of this directory, listed behind the sound ones. */
  readonly damagedPosition?: number;
}

/** Entries of a page: few, so that a listing takes many pages. */
const BATCH = 1000;

export class FakeTree implements NodeTree {
  readonly root = 1;
  readonly nodes = new Map<number, Node>();
  readonly top: Node;
  readonly #batches = new Map<number, DirectoryEntry[]>();

  constructor() {
    this.top = this.node({ type: "directory", permissions: 0o755 });
  }

  /** Creates a node that is in no directory yet. */
  node(attributes: Partial<Attributes> & { type: NodeType }, rest: Partial<Node> = {}): Node {
    const id = this.nodes.size + 1;
    const isDirectory = attributes.type === "directory";
    const size = rest.source?.size ?? rest.target?.length ?? (isDirectory ? 4096 : 0);
    const node: Node = {
      id,
      extended: new Map(),
      ...(isDirectory && { names: new Map() }),
      ...rest,
      attributes: {
        inode: id,
        permissions: 0o644,
        linkCount: 1,
        uid: 1000,
        gid: 1001,
        size,
        allocatedSectors: Math.ceil(size / 4096) * 8,
        blockSize: 4096,
        accessed: { seconds: 1_000_000_000, nanoseconds: 1 },
        modified: { seconds: 1_700_000_000, nanoseconds: 123_456_789 },
        changed: { seconds: 1_800_000_000, nanoseconds: 999_999_999 },
        ...attributes,
      },
    };
    this.nodes.set(id, node);
    return node;
  }

  /** Puts `node` into `directory`. */
  add(directory: Node, name: string | Buffer, node: Node): Node {
    directory.names!.set(Buffer.from(name).toString("latin1"), node);
    return node;
  }

  directory(parent: Node, name: string | Buffer): Node {
    return this.add(parent, name, this.node({ type: "directory", permissions: 0o755 }));
  }

  file(parent: Node, name: string | Buffer, source: BlockSource, attributes: Partial<Attributes> = {}): Node {
    return this.add(parent, name, this.node({ type: "file", ...attributes }, { source }));
  }

  async attributes(id: number): Promise<Attributes> {
    const node = this.nodes.get(id)!;
    if (node.lost === true) throw new CorruptError({ file: "fake", offset: id, thing: "the inode" });
    return node.attributes;
  }

  async lookup(id: number, name: Buffer): Promise<number | undefined> {
    const { damagedPosition } = this.nodes.get(id)!;
    if (damagedPosition !== undefined && name.equals(damagedEntryName(damagedPosition)))
      throw entryDamage(damagedPosition);
    return this.nodes.get(id)!.names!.get(name.toString("latin1"))?.id;
  }

  async page(id: number, cookie: number, { limit = BATCH }: PageOptions = {}): Promise<DirectoryPage> {
    let all = this.#batches.get(id);
    if (all === undefined) {
      all = [...this.nodes.get(id)!.names!].map(([name, node], index) => ({
        name: Buffer.from(name, "latin1"),
        id: node.id,
        ...(index % 2 === 0 && { type: node.attributes.type }),
        cookie: index + 1,
      }));
      const { damagedPosition } = this.nodes.get(id)!;
      if (damagedPosition !== undefined)
        all.push({
          name: damagedEntryName(damagedPosition),
          id: NO_NODE,
          cookie: all.length + 1,
          problem: entryDamage(damagedPosition),
        });
      this.#batches.set(id, all);
    }
    return pageOf(all.slice(cookie, cookie + Math.min(limit, BATCH)), false);
  }

  async readLink(id: number): Promise<Buffer> {
    return this.nodes.get(id)!.target!;
  }

  async open(id: number): Promise<BlockSource> {
    return this.nodes.get(id)!.source!;
  }

  async extendedAttributes(id: number): Promise<ReadonlyMap<string, Buffer>> {
    return this.nodes.get(id)!.extended;
  }

  async usage() {
    return {
      blockSize: 4096,
      blocks: 5_000_000_000, // 20 TB: more than 32 bits
      freeBlocks: 3_000_000_000,
      availableBlocks: 2_000_000_000,
      files: 1_000_000,
      freeFiles: 999_000,
      maximumNameLength: 255,
    };
  }
}

const entryDamage = (offset: number): CorruptError =>
  new CorruptError({ file: "fake", offset, thing: "a directory entry" });

/** Byte `offset` of every patterned file. Repeats after a prime number of bytes, so that all blocks differ. */
const PERIOD = 65_521;
const PATTERN = Buffer.alloc(PERIOD + 2 ** 20);
for (let at = 0; at < PATTERN.length; at++) {
  const place = at % PERIOD;
  PATTERN[at] = (place ^ (place >> 8) ^ (place * 31)) & 0xff;
}

/** The bytes of a patterned file. */
export function pattern(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  fillPattern(bytes, offset);
  return bytes;
}

function fillPattern(into: Uint8Array, offset: number): void {
  for (let at = 0; at < into.length; at += 2 ** 20) {
    const skip = (offset + at) % PERIOD;
    into.set(PATTERN.subarray(skip, skip + Math.min(2 ** 20, into.length - at)), at);
  }
}

const storage: Storage = {
  location: "/fake",
  name: "fake",
  size: Number.MAX_SAFE_INTEGER,
  fd: -1,
  read: async (into, offset) => {
    fillPattern(into, offset);
  },
  close: async () => undefined,
};

/** A file of `size` patterned bytes; from `damagedFrom` on it cannot be read. */
export function patterned(size: number, damagedFrom = size): BlockSource {
  const error = new CorruptError({ file: "fake", offset: damagedFrom, thing: "the second half" });
  return {
    name: "fake",
    size,
    async map(offset, length) {
      const extents: Extent[] = [];
      const good = Math.min(length, Math.max(0, damagedFrom - offset));
      if (good > 0) extents.push({ kind: "stored", length: good, storage, offset });
      if (good < length) extents.push({ kind: "damaged", length: length - good, error });
      return extents;
    },
  };
}

const zeros = (size: number): BlockSource => ({
  name: "zeros",
  size,
  map: async (_, length) => [{ kind: "zero", length }],
});

/** user::rw-, user:1234:r--, group::r--, mask::r--, other::--- as acl(5)'s extended attribute has it. */
export const ACL = Buffer.from(
  "02000000" +
    "01000600ffffffff" +
    "02000400d2040000" +
    "04000400ffffffff" +
    "10000400ffffffff" +
    "20000000ffffffff",
  "hex",
);

export const FILE_SIZES = [0, 1, 511, 4095, 4096, 4097, 131_071, 131_073, 2 ** 20, 2 ** 20 + 1, 5_000_333];

/** Everything that is difficult to show, in few nodes: the tests copy this tree by several programs. */
export function sampleTree(): FakeTree {
  const tree = new FakeTree();
  const { top } = tree;
  tree.directory(top, "empty");

  const files = tree.directory(top, "files");
  for (const size of FILE_SIZES) tree.file(files, `size-${size}`, patterned(size));
  const twice = tree.file(files, "hard-a", patterned(10_000), { linkCount: 2 });
  tree.add(files, "hard-b", twice);
  tree.file(files, "setuid", patterned(10), { permissions: 0o4755 });
  tree.file(files, "secret", patterned(10), { permissions: 0o600, uid: 0, gid: 0 });
  tree.file(files, "sparse", zeros(10 * 2 ** 30), { allocatedSectors: 8 });

  const names = tree.directory(top, "names");
  const awkward = ["new\nline", "back\\slash", "literal\\xe9", "tab\t", "日本", " ", "-rf", "n".repeat(255)];
  for (const name of awkward) tree.file(names, name, patterned(100));
  tree.file(names, Buffer.from("latin1-\xe9\xff", "latin1"), patterned(100));
  const deep = tree.directory(names, Buffer.from("d\xe9", "latin1"));
  tree.file(deep, Buffer.from("f\xe9", "latin1"), patterned(100));

  const times = tree.directory(top, "times");
  const moments = { "1901": -2_145_916_800, "1969": -1, "2107": 4_323_369_600, "9999": 253_402_300_799 };
  for (const [name, seconds] of Object.entries(moments)) {
    const moment = { seconds, nanoseconds: 123_456_789 };
    tree.file(times, name, patterned(1), {
      accessed: moment,
      modified: moment,
      changed: moment,
      created: moment,
    });
  }

  const links = tree.directory(top, "links");
  const link = (name: string, target: string | Buffer): void => {
    tree.add(
      links,
      name,
      tree.node({ type: "symlink", permissions: 0o777 }, { target: Buffer.from(target) }),
    );
  };
  link("absolute", "/etc/hostname");
  link("dangling", "nowhere/at all");
  link("relative", "../files/size-4097");
  link("long", `../${"x/".repeat(1000)}y`);

  const nodes = tree.directory(top, "nodes");
  const device = (name: string, type: NodeType, major: number, minor: number): void => {
    tree.add(nodes, name, tree.node({ type, device: { major, minor } }));
  };
  device("block", "block", 8, 1);
  device("character", "character", 511, 70_000);
  tree.add(nodes, "fifo", tree.node({ type: "fifo" }));
  tree.add(nodes, "socket", tree.node({ type: "socket" }));

  const extended = tree.directory(top, "extended");
  const values = tree.file(extended, "values", patterned(1)).extended;
  values.set("user.mime_type", Buffer.from("text/plain"));
  values.set("user.binary", Buffer.from([0, 255, 0, 10]));
  values.set("user.empty", Buffer.alloc(0));
  values.set("trusted.note", Buffer.from("root's"));
  tree.file(extended, "large", patterned(1)).extended.set("user.large", pattern(0, 60_000));
  tree
    .file(extended, "acl", patterned(1), { permissions: 0o640 })
    .extended.set("system.posix_acl_access", ACL);
  extended.extended.set("user.on-a-directory", Buffer.from("yes"));
  return tree;
}

/** The sample, and directories that are damaged, or too large to be copied. */
export function fullTree(): FakeTree {
  const tree = sampleTree();
  const damaged = tree.directory(tree.top, "damaged");
  tree.file(damaged, "half", patterned(3_000_001, 1_500_000));
  tree.add(damaged, "lost", tree.node({ type: "file" }, { lost: true }));
  tree.file(damaged, "neighbour", patterned(5));
  const entries = tree.node({ type: "directory", permissions: 0o755 }, { damagedPosition: 0x40 });
  tree.add(tree.top, "damaged-entries", entries);
  tree.file(entries, "first", patterned(11));
  tree.file(entries, "second", patterned(4097));
  tree.file(tree.directory(tree.top, "inodes"), "large", patterned(1), { inode: 2 ** 40 + 5 });
  tree.file(tree.directory(tree.top, "big"), "gigabyte", patterned(2 ** 30));
  const many = tree.directory(tree.top, "many");
  for (let index = 0; index < 100_000; index++) {
    tree.add(
      many,
      `entry-${String(index).padStart(6, "0")}`,
      tree.node({ type: "file" }, { source: zeros(0) }),
    );
  }
  return tree;
}

/** Two slow files: a hole in pieces of one byte, and one whose mapping never completes. And a fast one. */
export function slowTree(): FakeTree {
  const tree = new FakeTree();
  const size = 2 ** 50;
  tree.file(tree.top, "holes", { name: "holes", size, map: async () => [{ kind: "zero", length: 1 }] });
  tree.file(tree.top, "stuck", { name: "stuck", size, map: () => new Promise(() => undefined) });
  tree.file(tree.top, "quick", patterned(4097));
  return tree;
}

/** 126,000 entries in 6,000 directories. */
export function wideTree(): FakeTree {
  const tree = new FakeTree();
  for (let outer = 0; outer < 60; outer++) {
    const middle = outer < 30 ? tree.directory(tree.top, `d${outer}`) : tree.top;
    for (let inner = 0; inner < 100; inner++) {
      const directory = tree.directory(middle, `e${outer}-${inner}`);
      for (let index = 0; index < 20; index++)
        tree.file(directory, `file-${index}.txt`, patterned(index * 100));
    }
  }
  return tree;
}

/** The server without a kernel: tests encode the requests and decode the replies by code of their own. */
import t from "tap";
import { TYPE_CODES } from "../../../src/filesystem/attributes.js";
import type { DirectoryPage, PageOptions } from "../../../src/filesystem/page.js";
import { CorruptError, DeniedError, HostError, UnsupportedError } from "../../../src/errors.js";
import { noReadAhead } from "../../../src/fuse/native/read-ahead.js";
import { serve } from "../../../src/fuse/native/server.js";
import { pino } from "pino";
import { attributesAt, direntsOf, kernel, words32, words64, zeroEnded } from "../support/wire.js";
import { FakeTree, pattern, patterned, sampleTree, type Node } from "../support/tree.js";

const [LOOKUP, GETATTR, READLINK, OPEN, READ, STATFS] = [1, 3, 5, 14, 15, 17] as const;
const [GETXATTR, LISTXATTR, INIT, OPENDIR, READDIR, ACCESS] = [22, 23, 26, 27, 28, 34] as const;
const [DESTROY, IOCTL, READDIRPLUS, STATX] = [38, 39, 44, 52] as const;
const [EIO, EACCES, EINVAL, ENOTTY, EROFS, ERANGE, ENOSYS, ENODATA, EOPNOTSUPP] = [
  5, 13, 22, 25, 30, 34, 38, 61, 95,
];

const tree = sampleTree();
const child = (node: Node, name: string): Node => node.names!.get(Buffer.from(name).toString("latin1"))!;
const find = (...names: string[]): Node => names.reduce(child, tree.top);

t.test(
  "INIT accepts the features that the kernel prefetched and no others, in the older of both versions",
  async (t) => {
    const greet = async (major: number, minor: number, flags: number): Promise<number[]> => {
      const { ask } = await kernel(tree);
      const { body } = await ask(INIT, 0, words32(major, minor, 131_072, flags), Buffer.alloc(48));
      t.equal(body.length, 64);
      return [body.readUInt32LE(0), body.readUInt32LE(4), body.readUInt32LE(8), body.readUInt32LE(12)];
    };
    const wanted =
      (1 << 0) | (1 << 13) | (1 << 15) | (1 << 17) | (1 << 18) | (1 << 22) | (1 << 23) | (1 << 24);
    t.same(await greet(7, 44, 0xffff_ffff), [7, 39, 131_072, wanted]);
    t.same(await greet(7, 31, (1 << 13) | (1 << 20)), [7, 31, 131_072, 1 << 13]);
    t.same((await greet(8, 1, 0)).slice(0, 2), [7, 39], "a newer kernel greets again");
  },
);

t.test("a kernel that is too old is refused, with the version that it would need", async (t) => {
  let problem: Error | undefined;
  const server = serve(tree, pino({ level: "silent" }), (error) => (problem = error), {
    putWindow: () => undefined,
    putReply: () => undefined,
    clear: () => undefined,
    notify: () => undefined,
  });
  const request = Buffer.concat([
    words32(56, INIT),
    words64(1, 0),
    words32(0, 0, 0, 0),
    words32(7, 22, 0, 0),
  ]);
  t.equal((await server.answer(request)).readInt32LE(4), -71); // EPROTO
  t.match(problem, { code: "UNSUPPORTED", message: /is 7\.22, but must be 7\.23/ });
});

t.test("a lookup gives node and attributes, to the nanosecond and before 1970", async (t) => {
  const { ask } = await kernel(tree);
  const node = find("times", "1901");
  const { errno, body } = await ask(LOOKUP, find("times").id, zeroEnded("1901"));
  t.equal(errno, 0);
  t.equal(body.length, 128);
  t.equal(body.readBigUInt64LE(0), BigInt(node.id));
  t.ok(body.readBigUInt64LE(16) > 86_400n && body.readBigUInt64LE(24) > 86_400n, "kept for more than a day");
  t.same(attributesAt(body, 40), {
    ...{ ino: BigInt(node.id), size: 1n, blocks: 8n },
    ...{ atime: -2_145_916_800n, mtime: -2_145_916_800n, ctime: -2_145_916_800n },
    ...{ atimensec: 123_456_789, mtimensec: 123_456_789, ctimensec: 123_456_789 },
    ...{ mode: 0o100644, nlink: 1, uid: 1000, gid: 1001, rdev: 0, blksize: 4096, flags: 0 },
  });
});

t.test("a name that does not exist is node 0, which the kernel caches", async (t) => {
  const { ask } = await kernel(tree);
  const { errno, body } = await ask(LOOKUP, 1, zeroEnded("nothing"));
  t.same([errno, body.length, body.readBigUInt64LE(0)], [0, 128, 0n]);
  t.ok(body.readBigUInt64LE(16) > 86_400n);
});

t.test("names are bytes", async (t) => {
  const { ask } = await kernel(tree);
  const name = Buffer.from("latin1-\xe9\xff", "latin1");
  const { body } = await ask(LOOKUP, find("names").id, zeroEnded(name));
  t.equal(body.readBigUInt64LE(0), BigInt(find("names").names!.get(name.toString("latin1"))!.id));
});

t.test("numbers past 32 bits and device numbers arrive whole", async (t) => {
  const odd = new FakeTree();
  const large = odd.file(odd.top, "large", patterned(2 ** 52 + 1), {
    inode: 2 ** 52 + 3,
    allocatedSectors: 2 ** 43,
  });
  const device = odd.node({ type: "character", device: { major: 0xfff, minor: 0xfffff } });
  const { ask } = await kernel(odd);
  const first = attributesAt((await ask(GETATTR, large.id, Buffer.alloc(16))).body, 16);
  t.match(first, { ino: 2n ** 52n + 3n, size: 2n ** 52n + 1n, blocks: 2n ** 43n });
  t.match(attributesAt((await ask(GETATTR, device.id, Buffer.alloc(16))).body, 16), {
    rdev: 0xffffffff,
    mode: 0o020644,
  });
});

t.test("statx has the time of creation, where there is one", async (t) => {
  const { ask } = await kernel(tree);
  const { body } = await ask(STATX, find("times", "2107").id, Buffer.alloc(24));
  t.equal(body.length, 288);
  t.equal(body.readUInt32LE(32), 0xfff);
  t.equal(body.readBigInt64LE(32 + 64 + 16), 4_323_369_600n);
  t.equal(body.readUInt32LE(32 + 64 + 24), 123_456_789);
  t.equal(body.readUInt16LE(32 + 28), 0o100644);
  t.equal((await ask(STATX, 1, Buffer.alloc(24))).body.readUInt32LE(32), 0x7ff);
});

t.test("a file is opened and read; a read ends at the end of the file", async (t) => {
  const { ask } = await kernel(tree, 0);
  const node = find("files", "size-4097").id;
  const opened = (await ask(OPEN, node, words32(0x8000, 0))).body;
  t.equal(opened.length, 16);
  t.equal(opened.readUInt32LE(8), 2, "FOPEN_KEEP_CACHE");
  const read = async (offset: number | bigint, size: number): Promise<Buffer | number> => {
    const { errno, body } = await ask(READ, node, words64(0, offset), words32(size, 0), Buffer.alloc(16));
    return errno || Buffer.from(body);
  };
  t.same(await read(0, 131_072), pattern(0, 4097));
  t.same(await read(4090, 100), pattern(4090, 7));
  t.same(await read(4097, 1), Buffer.alloc(0));
  t.same(await read(2n ** 62n, 1), Buffer.alloc(0));
  for (const access of [1, 2])
    t.equal((await ask(OPEN, find("files", "size-1").id, words32(access, 0))).errno, EROFS);
});

t.test("recycled buffers are used again, and contain the next file's bytes", async (t) => {
  const { ask, server } = await kernel(tree);
  const node = find("files", "size-5000333").id;
  const memory = new Set<ArrayBufferLike>();
  for (let at = 0; at < 5_000_000; at += 100_000) {
    const { body } = await ask(READ, node, words64(0, at), words32(100_000, 0), Buffer.alloc(16));
    if (!body.equals(pattern(at, body.length))) t.fail(`at ${at}`);
    memory.add(body.buffer);
    server.recycle(body);
  }
  t.equal(memory.size, 1);
});

t.test("a listing continues after any entry, whatever fits, with and without attributes", async (t) => {
  const wide = new FakeTree();
  for (let index = 0; index < 2500; index++)
    wide.file(wide.top, `${"n".repeat(1 + (index % 200))}${index}`, patterned(index));
  const { ask } = await kernel(wide);
  for (const plus of [false, true]) {
    for (const size of [500, 4096, 131_072]) {
      const found: string[] = [];
      for (let off = 0n; ;) {
        const { body } = await ask(
          plus ? READDIRPLUS : READDIR,
          1,
          words64(0, off),
          words32(size, 0),
          Buffer.alloc(16),
        );
        if (body.length > size) t.fail(`${body.length} bytes where ${size} fit`);
        const entries = direntsOf(body, plus);
        if (entries.length === 0) break;
        // Go on from the middle, now and then: the kernel may forget what it was given.
        const kept = entries.slice(0, found.length % 3 === 0 ? Math.ceil(entries.length / 2) : undefined);
        found.push(...kept.map(({ name }) => name));
        off = kept.at(-1)!.off;
      }
      t.same(
        found,
        [".", "..", ...wide.top.names!.keys()],
        `${size} bytes, ${plus ? "with" : "without"} attributes`,
      );
    }
  }
  t.equal((await ask(READDIR, 1, words64(0, 0), words32(16, 0), Buffer.alloc(16))).errno, EINVAL);
});

t.test(
  "a page that a program seeks to costs a few entries; reading on from it brings full pages",
  async (t) => {
    let attributesRead = 0;
    const limits: (number | undefined)[] = [];
    class CountingTree extends FakeTree {
      override async attributes(id: number): ReturnType<FakeTree["attributes"]> {
        attributesRead++;
        return super.attributes(id);
      }
      override async page(id: number, cookie: number, options: PageOptions = {}): Promise<DirectoryPage> {
        limits.push(options.limit);
        const page = await super.page(id, cookie, options);
        return { ...page, types: page.types.fill(TYPE_CODES.file), inodes: page.ids.map((id) => 9_998 + id) };
      }
    }
    const wide = new CountingTree();
    for (let index = 0; index < 5000; index++)
      wide.file(wide.top, `name ${index}`, patterned(index), { inode: 10_000 + index });
    const { ask, prefetched } = await kernel(wide);
    const page = async (off: number | bigint) =>
      direntsOf(
        (await ask(READDIRPLUS, 1, words64(0, off), words32(32_768, 0), Buffer.alloc(16))).body,
        true,
      );
    for (const at of [4000, 17, 2500, 17]) {
      for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate); // prefetching has ended
      [attributesRead, limits.length, prefetched.length] = [0, 0, 0];
      const sought = await page(at);
      t.equal(sought[0]!.name, `name ${at}`);
      t.ok(sought.length > 0 && sought.length <= 40, `${sought.length} entries`);
      for (const { name, ino, type, node } of sought)
        t.same([ino, type, node], [BigInt(10_000 + Number(name.slice(5))), 8, 0n]);
      t.ok(limits.length === 1 && limits[0]! <= 40, `a limit: ${limits.join()}`);
      await new Promise(setImmediate);
      t.same(
        [attributesRead, prefetched.length],
        [0, 0],
        "no other attributes are read, and nothing is prefetched",
      );
      const next = await page(sought.at(-1)!.off);
      t.ok(
        next.length > 100 && next.every(({ node }) => node! > 0n),
        "the next page is full, with attributes",
      );
    }
  },
);

t.test("two requests for the same prefetched page at once are both answered", async (t) => {
  const wide = new FakeTree();
  for (let index = 0; index < 1000; index++) wide.file(wide.top, `name ${index}`, patterned(index));
  const { server, ask, prefetched } = await kernel(wide);
  const { body } = await ask(READDIRPLUS, 1, words64(0, 0), words32(32_768, 0), Buffer.alloc(16));
  const { off } = direntsOf(body, true).at(-1)!;
  while (!prefetched.some(({ offset }) => offset === Number(off))) await new Promise(setImmediate);
  const request = (unique: number): Buffer => {
    const parts = [words64(0, off), words32(32_768, 0), Buffer.alloc(16)];
    return Buffer.concat([words32(80, READDIRPLUS), words64(unique, 1), words32(0, 0, 0, 0), ...parts]);
  };
  const replies = await Promise.all([7, 8].map((unique) => server.answer(request(unique))));
  t.same(
    replies.map((reply) => reply.readBigUInt64LE(8)),
    [7n, 8n],
  );
  t.ok(replies[0]!.subarray(16).equals(replies[1]!.subarray(16)) && replies[0]!.length > 16);
});

t.test("an entry whose attributes are damaged is listed without them; the rest has them", async (t) => {
  const damaged = new FakeTree();
  damaged.file(damaged.top, "good", patterned(7));
  damaged.add(damaged.top, "lost", damaged.node({ type: "file" }, { lost: true }));
  const { ask, logged } = await kernel(damaged);
  const { body } = await ask(READDIRPLUS, 1, words64(0, 0), words32(4096, 0), Buffer.alloc(16));
  t.match(direntsOf(body, true), [
    { name: ".", type: 4, node: 1n, ino: 1n },
    { name: "..", type: 4, node: 0n },
    { name: "good", type: 8, node: 2n, ino: 2n },
    { name: "lost", type: 0, node: 0n, ino: 0xffff_ffffn },
  ]);
  t.equal((await ask(GETATTR, 3, Buffer.alloc(16))).errno, EIO);
  t.same(logged, ["fake, byte 0x3: the inode"], "logged once");
});

t.test(
  "extended attributes: the size on request, ERANGE if the buffer is too small, ENODATA if there is none",
  async (t) => {
    const { ask, askAs } = await kernel(tree);
    const { id, extended } = find("extended", "values");
    const get = (name: string, size: number) => ask(GETXATTR, id, words32(size, 0), zeroEnded(name));
    t.same((await get("user.binary", 0)).body, words32(4, 0));
    t.same((await get("user.binary", 4)).body, Buffer.from([0, 255, 0, 10]));
    t.equal((await get("user.binary", 3)).errno, ERANGE);
    t.equal((await get("user.none", 100)).errno, ENODATA);
    t.equal((await get("user.empty", 100)).body.length, 0);
    const all = [...extended.keys()].map((name) => `${name}\0`).join("");
    const names = all.replace("trusted.note\0", "");
    t.not(names, all);
    t.equal((await askAs(0, LISTXATTR, id, words32(all.length, 0))).body.toString(), all, "root sees all");
    t.same((await ask(LISTXATTR, id, words32(0, 0))).body, words32(names.length, 0));
    t.equal((await ask(LISTXATTR, id, words32(names.length, 0))).body.toString(), names);
    t.equal((await ask(LISTXATTR, id, words32(names.length - 1, 0))).errno, ERANGE);
  },
);

t.test("the flags of a file are four bytes behind those of the reply, and in statx", async (t) => {
  const flagged = new FakeTree();
  const file = flagged.file(flagged.top, "immutable", patterned(1), { flags: 0x80010 });
  const { ask } = await kernel(flagged);
  const getFlags = [words64(0), words32(0, 0x80086601), words64(0), words32(0, 4)];
  const { body } = await ask(IOCTL, file.id, ...getFlags);
  t.same(body, words32(0, 0, 0, 0, 0x80010));
  const { body: stat } = await ask(STATX, file.id, Buffer.alloc(24));
  t.same([stat.readUInt32LE(32 + 8), stat.readUInt32LE(32 + 56)], [0x10, 0x100874]);
});

t.test("links and free space", async (t) => {
  const { ask } = await kernel(tree);
  t.equal((await ask(READLINK, find("links", "absolute").id)).body.toString(), "/etc/hostname");
  const { body } = await ask(STATFS, 1);
  t.equal(body.length, 80);
  t.same(
    [0, 8, 16, 24, 32].map((at) => Number(body.readBigUInt64LE(at))),
    [5e9, 3e9, 2e9, 1_000_000, 999_000],
  );
  t.same(
    [40, 44, 48].map((at) => body.readUInt32LE(at)),
    [4096, 255, 4096],
  );
});

t.test(
  "OPEN and OPENDIR are refused if the kernel can do without them, and answered if it cannot",
  async (t) => {
    const refused = await kernel(tree);
    t.equal((await refused.ask(OPENDIR, 1, words32(0, 0))).errno, ENOSYS);
    const file = find("files", "size-1").id;
    t.equal((await refused.ask(OPEN, file, words32(0, 0))).errno, ENOSYS);
    t.equal((await refused.ask(OPEN, file, words32(1, 0))).errno, EROFS, "not to be written to");
    const read = await refused.ask(READ, file, words64(0, 0), words32(100, 0), Buffer.alloc(16));
    t.same(read.body, pattern(0, 1), "a file is read without OPEN");
    const { ask } = await kernel(tree, 1 << 13);
    t.equal((await ask(OPENDIR, 1, words32(0, 0))).body.readUInt32LE(8), 2 | 8);
  },
);

t.test("requests that would write get EROFS, unknown ones ENOSYS", async (t) => {
  const { ask } = await kernel(tree);
  const writing = [4, 6, 8, 9, 10, 11, 12, 13, 16, 21, 24, 35, 43, 45, 47, 51];
  for (const opcode of writing)
    t.equal((await ask(opcode, 1, Buffer.alloc(64))).errno, EROFS, `opcode ${opcode}`);
  for (const opcode of [ACCESS, 25, 4000]) t.equal((await ask(opcode, 1, Buffer.alloc(64))).errno, ENOSYS);
  t.equal((await ask(IOCTL, 1, Buffer.alloc(32))).errno, ENOTTY);
  const getFlags = [words64(0), words32(0, 0x80086601), words64(0), words32(0, 4)];
  t.equal((await ask(IOCTL, 1, ...getFlags)).errno, ENOTTY, "a file system without flags");
  t.equal((await ask(DESTROY, 0)).errno, 0);
});

t.test("every kind of error has its errno; each message is logged once, a bug with its stack", async (t) => {
  const failing = new FakeTree();
  let error = new Error();
  failing.attributes = () => Promise.reject(error);
  const { ask, logged } = await kernel(failing);
  const cases: [Error, number][] = [
    [new CorruptError("corrupt"), EIO],
    [new UnsupportedError("unsupported"), EOPNOTSUPP],
    [new DeniedError("denied"), EACCES],
    [new HostError("full", "ENOSPC"), 28],
    [new HostError("odd", "EWHATEVER"), EIO],
    [new TypeError("a bug"), EIO],
  ];
  for (const [thrown, errno] of [...cases, ...cases]) {
    error = thrown;
    t.equal((await ask(GETATTR, 1, Buffer.alloc(16))).errno, errno, String(thrown));
  }
  t.same(logged, ["corrupt", "unsupported", "denied", "full", "odd", "a bug in vdisk: please report it"]);
});

t.test(
  "with allow_root, other users are refused when they open, but may use what they have open",
  async (t) => {
    const { ask } = await kernel(tree, 0x7fff_ffff, 1234);
    for (const opcode of [LOOKUP, GETATTR, OPEN, OPENDIR, STATFS])
      t.equal((await ask(opcode, 1, Buffer.alloc(64))).errno, EACCES);
    t.equal((await ask(READDIR, 1, words64(0, 0), words32(4096, 0), Buffer.alloc(16))).errno, 0);
    const { ask: own } = await kernel(tree, 0x7fff_ffff, 1000);
    t.equal((await own(GETATTR, 1, Buffer.alloc(16))).errno, 0);
    t.equal((await own(OPENDIR, 1, words32(0, 0))).errno, 0, "OPENDIR is needed to refuse other users");
    t.equal((await own(OPEN, find("files", "size-1").id, words32(0, 0))).errno, 0, "and so is OPEN");
  },
);

t.test("a truncated request is an error, not a crash", async (t) => {
  const { ask } = await kernel(tree);
  for (const opcode of [OPEN, READ, READDIR, GETXATTR, LISTXATTR])
    t.equal((await ask(opcode, 1, Buffer.alloc(3))).errno, EIO);
});

t.test(
  "without read-ahead, the server gives the same replies, and prefetches no listing or file",
  async (t) => {
    const walk = async ({ ask }: Awaited<ReturnType<typeof kernel>>): Promise<Buffer[]> => {
      const bodies: Buffer[] = [];
      const visit = async (directory: Node): Promise<void> => {
        for (let offset = 0n, isEnd = false; !isEnd;) {
          const request = [words64(0, offset), words32(32_768, 0), Buffer.alloc(16)];
          const { body } = await ask(READDIRPLUS, directory.id, ...request);
          bodies.push(body);
          for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate); // time for read-ahead
          offset = direntsOf(body, true).at(-1)?.off ?? offset;
          isEnd = body.length === 0;
        }
        for (const node of directory.names!.values()) {
          if (node.attributes.type === "directory") await visit(node);
          if (node.attributes.type !== "file") continue;
          bodies.push((await ask(READ, node.id, words64(0, 0), words32(4096, 0), Buffer.alloc(16))).body);
        }
      };
      await visit(tree.top);
      return bodies;
    };
    const without = await kernel(tree, 0x7fff_ffff, undefined, () => noReadAhead);
    const usual = await kernel(tree);
    t.same(await walk(without), await walk(usual));
    t.ok(without.prefetched.every(({ body }) => body.length === 0));
    t.ok(usual.prefetched.some(({ body }) => body.length > 0));
    t.ok(without.windows.length > 0, "windows of files that are read are passed all the same");
  },
);

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import type { Fields } from "../../../src/bytes/struct.js";
import { CorruptError, DiskError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { openChain, type OpenChain } from "../../../src/image/chain.js";
import { openImageAt } from "../../../src/image/formats.js";
import { Header0, Header1, Header1Plus, PreHeader } from "../../../src/image/vdi/structures.js";
import { corpus, truthOf, withCorpus } from "../../support/corpora.js";
import { qemuMaps, qemuReads, readAll, readParts, weMap } from "../image.js";
import { random } from "../random.js";
import { buildVdi, writeVdi } from "./builder.js";

const KIB = 2 ** 10;
const MIB = 2 ** 20;

const fill = (size: number, value: number): Buffer => Buffer.alloc(size, value);

t.test("a map tells free blocks from zero blocks, and joins what lies together", async (t) => {
  const blockSize = 128 * KIB;
  const path = join(t.testdir(), "a.vdi");
  const blocks = new Map<number, Buffer | "zero">([
    [0, "zero"],
    [1, "zero"],
  ]);
  for (const block of [3, 4, 5, 7]) blocks.set(block, fill(blockSize, block));
  const plan = { diskSize: 9 * blockSize - 512, blockSize, blocks, order: [7, 3, 4, 5], dataOffset: 4096 };
  const kinds = async () => {
    const image = await openImageAt(path);
    const layer = await image.layer();
    const extents = await layer.map(512, layer.size - 512);
    await image.close();
    return extents.map((extent) => [
      extent.kind,
      extent.length,
      ...(extent.kind === "stored" ? [extent.offset] : []),
    ]);
  };
  await writeVdi(path, plan);
  t.same(await kinds(), [
    ["zero", 2 * blockSize - 512],
    ["absent", blockSize],
    ["stored", 3 * blockSize, 4096 + blockSize],
    ["absent", blockSize],
    ["stored", blockSize, 4096],
    ["absent", blockSize - 512],
  ]);
  await writeVdi(path, { ...plan, blockExtra: 512 });
  const offsets = [1, 2, 3].map((index) => 4096 + index * (blockSize + 512) + 512);
  t.same(
    (await kinds()).slice(2, 5),
    offsets.map((offset) => ["stored", blockSize, offset]),
  );
});

t.test("the smallest and the largest blocks are read, far beyond 4 GiB too", async (t) => {
  const path = join(t.testdir(), "a.vdi");
  for (const blockSize of [128 * KIB, 128 * MIB]) {
    const last = 40_000;
    const blocks = new Map([
      [last, Buffer.from("the end")],
      [0, Buffer.from("the beginning")],
      [last - 1, Buffer.from("before the end")],
    ]);
    await writeVdi(path, { diskSize: last * blockSize + 1024, blockSize, blocks });
    const chain = await openChain(path);
    t.equal(chain.source.size, last * blockSize + 1024);
    t.equal((await read(chain.source, last * blockSize, 7)).toString(), "the end");
    t.equal((await read(chain.source, 0, 13)).toString(), "the beginning");
    t.same(await read(chain.source, last * blockSize - 1, 2), Buffer.from("\0t"));
    t.same(await read(chain.source, blockSize * 1000, 4096), Buffer.alloc(4096));
    await chain.close();
  }
});

t.test("a damaged entry of the map takes its own block with it and no other", async (t) => {
  const path = join(t.testdir(), "a.vdi");
  const blocks = new Map([0, 1, 2, 3, 4].map((block) => [block, fill(MIB, block + 1)] as const));
  const bytes = buildVdi({ diskSize: 5 * MIB, blocks });
  bytes.writeUInt32LE(5, 0x200 + 4);
  bytes.writeUInt32LE(0xfffffffd, 0x200 + 8);
  await writeFile(path, bytes.subarray(0, bytes.length - 1));
  const chain = await openChain(path);
  t.same(await read(chain.source, 0, MIB), fill(MIB, 1));
  await t.rejects(read(chain.source, MIB, 1), {
    name: "CorruptError",
    message: `${path}, byte 0x204: the VDI block map's entry 1 is 5, but must be below 5, the number of the disk's blocks`,
  });
  await t.rejects(read(chain.source, 3 * MIB - 512, 1024), CorruptError);
  t.same(await read(chain.source, 3 * MIB, 2 * MIB - 1), Buffer.concat([fill(MIB, 4), fill(MIB - 1, 5)]));
  await t.rejects(read(chain.source, 5 * MIB - 1, 1), { message: /the image is cut short/ });
  await chain.close();
});

t.test(
  "blocks that the header does not count yet are read: the host crashed before it was written",
  async (t) => {
    const path = join(t.testdir(), "a.vdi");
    const bytes = buildVdi({
      diskSize: 3 * MIB,
      blocks: new Map([0, 2].map((block) => [block, fill(MIB, block + 1)])),
    });
    t.equal(bytes.readUInt32LE(0x184), 2, "allocatedCount");
    bytes.writeUInt32LE(1, 0x184);
    await writeFile(path, bytes);
    const chain = await openChain(path);
    t.same(await read(chain.source, 0, 3 * MIB), Buffer.concat([fill(MIB, 1), fill(MIB, 0), fill(MIB, 3)]));
    await chain.close();
  },
);

t.test("entries that run on past the last block there may be are damaged from there", async (t) => {
  const path = join(t.testdir(), "a.vdi");
  const bytes = buildVdi({
    diskSize: 2 * MIB,
    blocks: new Map([0, 1].map((block) => [block, fill(MIB, block + 1)])),
  });
  bytes.writeUInt32LE(1, 0x200);
  bytes.writeUInt32LE(2, 0x204);
  await writeFile(path, Buffer.concat([bytes, fill(MIB, 9)]));
  const chain = await openChain(path);
  t.same(await read(chain.source, 0, MIB), fill(MIB, 2));
  await t.rejects(read(chain.source, MIB, 1), { name: "CorruptError" });
  await chain.close();
});

t.test("a last block that is stored only up to the disk's end is read", async (t) => {
  const path = join(t.testdir(), "a.vdi");
  const blocks = new Map([0, 1].map((block) => [block, fill(MIB, block + 1)] as const));
  for (const type of [1, 2]) {
    await writeVdi(path, {
      type,
      diskSize: MIB + 1536,
      blocks,
      dataOffset: 4096,
      fileSize: 4096 + MIB + 1536,
    });
    t.same(await readAll(path), Buffer.concat([fill(MIB, 1), fill(1536, 2)]));
  }
});

t.test("reading leaves no trace: bytes, times and size stay", async (t) => {
  const path = join(t.testdir(), "a.vdi");
  await writeVdi(path, { diskSize: MIB, blocks: new Map([[0, fill(MIB, 1)]]) });
  const trace = () => {
    const { mtimeMs, ctimeMs, atimeMs, size } = statSync(path);
    return { mtimeMs, ctimeMs, atimeMs, size };
  };
  const before = trace();
  await readAll(path);
  t.same(trace(), before);
});

t.test("every field set to 0, to ones and past the end gives right bytes or a DiskError", async (t) => {
  const path = join(t.testdir(), "a.vdi");
  const tables: ["0" | "1.1" | "1.1+", Fields][] = [
    ["0", { ...PreHeader.fields, ...Header0.fields }],
    ["1.1", { ...PreHeader.fields, ...Header1.fields }],
    ["1.1+", { ...PreHeader.fields, ...Header1Plus.fields }],
  ];
  for (const [version, fields] of tables) {
    const blocks = new Map([2, 0].map((block) => [block, fill(128 * KIB, block + 1)] as const));
    const plan = { version, diskSize: 384 * KIB, blockSize: 128 * KIB, blocks };
    const right = Buffer.concat([fill(128 * KIB, 1), Buffer.alloc(128 * KIB), fill(128 * KIB, 3)]);
    // A disk said to be a little shorter cannot be told from one that is.
    const isBeginning = (parts: Buffer[]) => {
      const bytes = Buffer.concat(parts);
      return bytes.length >= right.length - 128 * KIB && bytes.equals(right.subarray(0, bytes.length));
    };
    const good = buildVdi(plan);
    for (const [name, { offset, length }] of Object.entries(fields)) {
      const values = [0x00, 0xff, 0x7f, 0x01].map((value) => Buffer.alloc(length, value));
      const past = Buffer.alloc(Math.max(length, 8));
      past.writeBigUInt64LE(BigInt(good.length));
      for (const value of [...values, past.subarray(0, length)]) {
        const bad = Buffer.from(good);
        value.copy(bad, offset);
        await writeFile(path, bad);
        const parts = await readParts(path);
        const isFine = parts.every((part) => part instanceof DiskError) || isBeginning(parts as Buffer[]);
        t.ok(isFine, `${version} ${name} = ${value.toString("hex").slice(0, 16)}`);
      }
    }
  }
});

t.test("cut at any length, an image gives right bytes or a DiskError", async (t) => {
  const path = join(t.testdir(), "a.vdi");
  const blocks = new Map([2, 0].map((block) => [block, fill(128 * KIB, block + 1)] as const));
  const good = buildVdi({ diskSize: 384 * KIB, blockSize: 128 * KIB, blocks });
  const numbers = random(7);
  const lengths = [...Array(120).keys()].map((step) => (step < 60 ? step * 11 : numbers.below(good.length)));
  for (const length of lengths) {
    await writeFile(path, good.subarray(0, length));
    const opened = await openChain(path).catch((error: unknown) => error);
    if (opened instanceof DiskError) continue;
    const chain = opened as OpenChain;
    for (const [block, value] of [
      [0, 1],
      [1, 0],
      [2, 3],
    ] as const) {
      const bytes = await read(chain.source, block * 128 * KIB, 128 * KIB).catch((error: unknown) => error);
      const isRight = bytes instanceof DiskError || (bytes as Buffer).equals(fill(128 * KIB, value));
      if (!isRight) t.fail(`cut at ${length}: block ${block}`);
    }
    await chain.close();
  }
});

t.test("what qemu-img writes, and what it accepts of ours, is read and mapped as by qemu-img", async (t) => {
  const folder = t.testdir();
  const raw = join(folder, "a.raw");
  const path = join(folder, "a.vdi");
  const numbers = random(3);
  const scattered = Buffer.alloc(11 * MIB + 512 * 3);
  for (let count = 0; count < 9; count++) {
    numbers.bytes(5000).copy(scattered, numbers.below(scattered.length - 5000));
  }
  const judge = async (what: string, isFixed = false) => {
    t.ok((await readAll(path)).equals(await qemuReads(path, "vdi", join(folder, "out.raw"))), what);
    const chain = await openChain(path);
    // Of a fixed image qemu-img tells where the host's file has holes: another question.
    if (!isFixed) t.same(await weMap(chain.source), qemuMaps(path, "vdi"), what);
    await chain.close();
  };
  for (const options of [[], ["-o", "static=on"]]) {
    await writeFile(raw, scattered);
    execFileSync("qemu-img", ["convert", "-O", "vdi", ...options, raw, path]);
    await judge(options.join(" "), options.length > 0);
  }
  for (let seed = 0; seed < 4; seed++) {
    const numbers = random(seed);
    const blocks = new Map<number, Buffer | "zero">();
    for (let block = 0; block < 12; block++) {
      const what = numbers.pick(["free", "zero", "stored", "stored"] as const);
      if (what === "zero") blocks.set(block, "zero");
      if (what === "stored") blocks.set(block, numbers.bytes(MIB));
    }
    const stored = [...blocks].filter(([, held]) => held !== "zero").map(([block]) => block);
    const order = numbers.shuffle(stored);
    await writeVdi(path, { version: "1.1", diskSize: 12 * MIB - 512 * seed, blocks, order });
    await judge(`ours, seed ${seed}`);
  }
});

const corpusVdis = corpus.filter(({ format }) => format.startsWith("vdi"));
for (const image of corpusVdis) {
  t.test(`${image.path} of the corpora is read right${image.isGood ? "" : ", or not at all"}`, (t) =>
    withCorpus(image, async (path) => {
      if (!image.isGood) {
        await t.resolves(readParts(path));
        return;
      }
      const truth = truthOf(`truth/${image.id}.disk.sha256`)!;
      const bytes = await readAll(path);
      const hash = createHash("sha256").update(bytes).digest("hex");
      t.match(truth[0], hash);
    }),
  );
}
t.test("there are VDIs in the corpora", (t) => {
  t.ok(corpusVdis.some(({ isGood }) => isGood));
  t.ok(corpusVdis.some(({ isGood }) => !isGood));
  t.end();
});

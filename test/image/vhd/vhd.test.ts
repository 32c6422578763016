import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { ChangeFeed, type ByteRange } from "../../../src/bytes/changes.js";
import type { Fields } from "../../../src/bytes/struct.js";
import { CorruptError, DiskError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { openChain, type OpenChain } from "../../../src/image/chain.js";
import { openImageAt } from "../../../src/image/formats.js";
import { vhd } from "../../../src/image/vhd/vhd.js";
import { openGate } from "../../../src/storage/gate.js";
import type { Storage } from "../../../src/storage/storage.js";
import { DynamicHeader, Footer } from "../../../src/image/vhd/structures.js";
import { corpus, truthOf, withCorpus } from "../../support/corpora.js";
import { qemuMaps, qemuReads, readAll, readParts, weMap } from "../image.js";
import { random } from "../random.js";
import {
  buildVhd,
  mendFooter,
  mendHeader,
  planVhd,
  writeVhd,
  type VhdBlock,
  type VhdPlan,
} from "./builder.js";

const KIB = 2 ** 10;
const MIB = 2 ** 20;

const fill = (size: number, value: number): Buffer => Buffer.alloc(size, value);

/** Blocks that are filled with their number plus 1. */
const filled = (blockSize: number, numbers: readonly number[]): Map<number, VhdBlock> =>
  new Map(numbers.map((block) => [block, { data: fill(blockSize, block + 1) }]));

async function extentsOf(path: string, offset: number, length: number): Promise<unknown[]> {
  const image = await openImageAt(path);
  const extents = await (await image.layer()).map(offset, length);
  await image.close();
  return extents.map((extent) => [
    extent.kind,
    extent.length,
    ...(extent.kind === "stored" ? [extent.offset] : []),
  ]);
}

t.test("a map joins sectors that were written, and what was not written is absent", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const blockSize = 8 * KIB; // sixteen sectors
  const bitmap = Buffer.alloc(2);
  for (const sector of [0, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15]) bitmap[sector >> 3]! |= 0x80 >> (sector & 7);
  const blocks = new Map<number, VhdBlock>([
    [1, { data: fill(blockSize, 1), bitmap }],
    [2, { data: fill(blockSize, 2) }],
    [5, { data: fill(blockSize, 3), bitmap: Buffer.alloc(2) }],
  ]);
  await writeVhd(path, { diskSize: 7 * blockSize - 512, blockSize, blocks, order: [2, 5, 1] });
  const [two, , one] = [0, 1, 2].map((index) => 2048 + index * (blockSize + 512) + 512) as [
    number,
    number,
    number,
  ];
  const whole: [string, number, number?][] = [
    ["absent", blockSize],
    ["stored", 512, one],
    ["absent", 1024],
    ["stored", 1536, one + 1536],
    ["absent", 1536],
    ["stored", 3584, one + 4608],
    ["stored", blockSize, two],
    ["absent", 4 * blockSize - 512],
  ];
  t.same(await extentsOf(path, 0, 7 * blockSize - 512), whole);
  t.same(await extentsOf(path, blockSize + 100, 3000), [
    ["stored", 412, one + 100],
    ["absent", 1024],
    ["stored", 1536, one + 1536],
    ["absent", 28],
  ]);
});

t.test("blocks of every size are read, far beyond 4 GiB too", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  for (const blockSize of [512, 4096, 512 * KIB, 2 * MIB, 32 * MIB, 2 ** 31]) {
    const last = blockSize === 2 ** 31 ? 700 : 4000;
    const blocks = new Map<number, VhdBlock>([
      [last, { data: Buffer.from("the end") }],
      [0, { data: Buffer.from("the beginning") }],
      [last - 1, { data: Buffer.from("before the end") }],
    ]);
    await writeVhd(path, { diskSize: last * blockSize + 512, blockSize, blocks });
    const chain = await openChain(path);
    t.equal(chain.source.size, last * blockSize + 512);
    t.equal((await read(chain.source, last * blockSize, 7)).toString(), "the end");
    t.equal((await read(chain.source, 0, 13)).toString(), "the beginning");
    t.same(await read(chain.source, last * blockSize - 1, 2), Buffer.from("\0t"));
    t.same(await read(chain.source, blockSize * 30, 512), Buffer.alloc(512));
    await chain.close();
  }
});

t.test(
  "random reads are those of a model: blocks out of order, with gaps, and bitmaps of all kinds",
  async (t) => {
    const path = join(t.testdir(), "a.vhd");
    const seed = Number(process.env["VDISK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    t.comment(`VDISK_SEED=${seed} repeats this`);
    const numbers = random(seed);
    for (let image = 0; image < 30; image++) {
      const blockSize = numbers.pick([512, 1024, 4096, 16 * KIB, 64 * KIB]);
      const diskSize = (1 + numbers.below(600)) * 512;
      const count = Math.ceil(diskSize / blockSize);
      const model = Buffer.alloc(count * blockSize);
      const blocks = new Map<number, VhdBlock>();
      for (let block = 0; block < count; block++) {
        if (numbers.chance(0.4)) continue;
        const data = numbers.bytes(blockSize);
        const sectors = blockSize / 512;
        const bitmap = Buffer.alloc(Math.ceil(sectors / 8));
        const density = numbers.pick([0, 0.1, 0.5, 0.95, 1]);
        for (let sector = 0; sector < sectors; sector++) {
          if (!numbers.chance(density)) continue;
          bitmap[sector >> 3]! |= 0x80 >> (sector & 7);
          data.copy(model, block * blockSize + sector * 512, sector * 512, (sector + 1) * 512);
        }
        blocks.set(block, { data, bitmap });
      }
      await writeVhd(path, {
        diskSize,
        blockSize,
        blocks,
        order: numbers.shuffle([...blocks.keys()]),
        gap: numbers.pick([0, 512, 4096]),
        headerOffset: numbers.pick([512, 1024, 700]),
        tableOffset: numbers.pick([2048, 4096, 2060]),
        entryCount: count + numbers.below(5),
      });
      const chain = await openChain(path);
      t.equal(chain.source.size, diskSize);
      for (let turn = 0; turn < 200; turn++) {
        const offset = numbers.below(diskSize);
        const length = 1 + numbers.below(Math.min(diskSize - offset, numbers.pick([10, 5000, 1e6])));
        const bytes = await read(chain.source, offset, length);
        if (!bytes.equals(model.subarray(offset, offset + length)))
          t.fail(`image ${image}: ${length} at ${offset}`);
      }
      await chain.close();
    }
  },
);

t.test("a map of more pieces than one answer holds ends early, and goes on where it ended", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const blockSize = 16 * MIB;
  const data = random(1).bytes(blockSize);
  const model = Buffer.from(data);
  for (let sector = 1; sector < blockSize / 512; sector += 2) model.fill(0, sector * 512, (sector + 1) * 512);
  const bitmap = fill(blockSize / 512 / 8, 0xaa);
  const whole = { data, bitmap: fill(blockSize / 512 / 8, 0xff) };
  await writeVhd(path, {
    diskSize: 2 * blockSize,
    blockSize,
    blocks: new Map([
      [0, { data, bitmap }],
      [1, whole],
    ]),
  });
  const disk = Buffer.concat([model, data]);
  const image = await openImageAt(path);
  const layer = await image.layer();
  for (let at = 100; at < disk.length;) {
    const extents = await layer.map(at, disk.length - at);
    const length = extents.reduce((sum, extent) => sum + extent.length, 0);
    t.ok(length > 0 && extents.length <= 4096);
    for (const extent of extents) {
      const bytes = Buffer.alloc(extent.length);
      if (extent.kind === "stored") await extent.storage.read(bytes, extent.offset);
      if (!bytes.equals(disk.subarray(at, at + extent.length))) t.fail(`byte ${at}`);
      at += extent.length;
    }
  }
  await image.close();
  t.ok((await readAll(path)).equals(disk));
});

t.test("a bad entry of the table takes its own block with it and no other", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const blockSize = 64 * KIB;
  const plan: VhdPlan = { diskSize: 6 * blockSize, blockSize, blocks: filled(blockSize, [0, 1, 2, 3, 4, 5]) };
  const { tableOffset, size } = planVhd(plan);
  const file = buildVhd(plan);
  const entry = (block: number): number => file.readUInt32BE(tableOffset + block * 4);
  const entries: [what: string, value: number, message: RegExp][] = [
    ["zero", 0, /such that the block lies outside of bytes 0 to 512, which are the image's own/],
    ["in the header", 2, /outside of bytes 512 to 1536/],
    ["in the table", 3, /outside of bytes 1536 to 1560/],
    ["in the footer", entry(5) + 1, new RegExp(`ends at byte ${size - 512} or before it`)],
    ["behind the end", 0x7fffffff, /ends at byte/],
    ["far behind the end", 0xfffffffe, /ends at byte/],
  ];
  for (const [what, value, message] of entries) {
    const bad = Buffer.from(file);
    bad.writeUInt32BE(value, tableOffset + 4);
    await writeFile(path, bad);
    const chain = await openChain(path);
    await t.rejects(read(chain.source, blockSize, 1), { name: "CorruptError", message }, what);
    await t.rejects(read(chain.source, blockSize, 1), {
      message: new RegExp(
        `^${path}, byte 0x604: the sector of block 1 in the VHD's block table is ${value},`,
      ),
    });
    for (const block of [0, 2, 3, 4, 5])
      t.same(await read(chain.source, block * blockSize, blockSize), fill(blockSize, block + 1), what);
    await chain.close();
  }
});

t.test("blocks that overlap each other are damaged, all of them, and no others", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const blockSize = 64 * KIB;
  const pitch = blockSize / 512 + 1;
  const plan: VhdPlan = {
    diskSize: 40 * blockSize,
    blockSize,
    blocks: filled(blockSize, [...Array(40).keys()]),
    order: random(3).shuffle([...Array(40).keys()]),
  };
  const { tableOffset } = planVhd(plan);
  const file = buildVhd(plan);
  const entry = (block: number): number => file.readUInt32BE(tableOffset + block * 4);
  const blockAt = (sector: number): number => [...Array(40).keys()].find((block) => entry(block) === sector)!;
  const first = 2048 / 512;
  const [second, third] = [blockAt(first + pitch), blockAt(first + 2 * pitch)];
  const cases: [value: number, others: number[]][] = [
    [entry(9), [9]],
    [first + pitch + 1, [second, third]],
    [first + pitch - 1, [blockAt(first), second]],
    [first + 2 * pitch - 1, [second, third]],
  ];
  for (const [value, others] of cases) {
    const bad = Buffer.from(file);
    const moved = [...Array(40).keys()].find((block) => ![9, second, third, blockAt(first)].includes(block))!;
    bad.writeUInt32BE(value, tableOffset + moved * 4);
    await writeFile(path, bad);
    const chain = await openChain(path);
    for (let block = 0; block < 40; block++) {
      const reading = read(chain.source, block * blockSize, blockSize);
      if (block === moved || others.includes(block))
        await t.rejects(reading, {
          name: "CorruptError",
          message: /but must be the place of no other block/,
        });
      else t.same(await reading, fill(blockSize, block + 1));
    }
    await chain.close();
  }
});

t.test("a last block that is stored only up to the disk's end is read", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const blockSize = 64 * KIB;
  const bytes = buildVhd({ diskSize: blockSize + 1536, blockSize, blocks: filled(blockSize, [0, 1]) });
  const end = bytes.length - 512 - blockSize + 1536;
  await writeFile(path, Buffer.concat([bytes.subarray(0, end), bytes.subarray(-512)]));
  t.same(await readAll(path), Buffer.concat([fill(blockSize, 1), fill(1536, 2)]));
});

t.test("reading leaves no trace: bytes, times and size stay", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  await writeVhd(path, { diskSize: 64 * KIB, blockSize: 64 * KIB, blocks: filled(64 * KIB, [0]) });
  const trace = () => {
    const { mtimeMs, ctimeMs, atimeMs, size } = statSync(path);
    return { mtimeMs, ctimeMs, atimeMs, size };
  };
  const before = trace();
  await readAll(path);
  t.same(trace(), before);
});

t.test("every field set to 0, to ones and past the end gives right bytes or a DiskError", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const blockSize = 16 * KIB;
  const diskSize = 3 * blockSize - 1024;
  const right = Buffer.concat([fill(blockSize, 1), Buffer.alloc(blockSize), fill(blockSize - 1024, 3)]);
  const sparse = { diskSize, blockSize, blocks: filled(blockSize, [2, 0]), geometry: [2, 47, 1] as const };
  const bases: [string, VhdPlan][] = ["win ", "vpc "].flatMap((creator): [string, VhdPlan][] => [
    [`dynamic by "${creator}"`, { ...sparse, creator }],
    [`fixed by "${creator}"`, { diskSize, data: right, geometry: [2, 47, 1], creator }],
  ]);
  // A disk that is said to be shorter cannot be told from one that is. A fixed image without its signature is a raw one.
  const isFine = (parts: (Buffer | DiskError)[], isRaw: boolean): boolean => {
    if (parts.every((part) => part instanceof DiskError)) return true;
    const all = Buffer.concat(parts as Buffer[]);
    const bytes = isRaw ? all.subarray(0, right.length) : all;
    return bytes.length > 0 && bytes.equals(right.subarray(0, bytes.length));
  };
  for (const [base, plan] of bases) {
    const good = buildVhd(plan);
    const { headerOffset } = planVhd(plan);
    const last = good.length - 512;
    const structures: [string, Fields, number[]][] =
      plan.data === undefined
        ? [
            ["footer", Footer.fields, [0, last]],
            ["footer at the end", Footer.fields, [last]],
            ["header", DynamicHeader.fields, [headerOffset]],
          ]
        : [["footer", Footer.fields, [last]]];
    for (const [structure, fields, places] of structures) {
      for (const [name, { offset, length }] of Object.entries(fields)) {
        const past = Buffer.alloc(Math.max(length, 8));
        past.writeBigUInt64BE(BigInt(good.length), past.length - 8);
        const values = [0x00, 0xff, 0x7f, 0x01].map((value) => Buffer.alloc(length, value));
        for (const value of [...values, past.subarray(past.length - length)]) {
          for (const isMended of [true, false]) {
            const bad = Buffer.from(good);
            for (const place of places) {
              value.copy(bad, place + offset);
              if (isMended && !name.toLowerCase().includes("checksum"))
                (structure === "header" ? mendHeader : mendFooter)(bad, place);
            }
            await writeFile(path, bad);
            const text = `${base}: ${structure}.${name} = ${value.toString("hex").slice(0, 16)}, ${isMended}`;
            const isRaw = name === "cookie" && plan.data !== undefined;
            t.ok(isFine(await readParts(path), isRaw), text);
          }
        }
      }
    }
  }
});

t.test("cut at any length, an image gives right bytes or a DiskError", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const blockSize = 16 * KIB;
  const good = buildVhd({ diskSize: 3 * blockSize, blockSize, blocks: filled(blockSize, [2, 0]) });
  const numbers = random(7);
  const lengths = [...Array(160).keys()].map((step) => (step < 100 ? step * 21 : numbers.below(good.length)));
  let openCount = 0;
  for (const length of [...lengths, good.length - 1, good.length - 512, good.length - 513]) {
    await writeFile(path, good.subarray(0, length));
    const opened = await openChain(path).catch((error: unknown) => error);
    if (opened instanceof DiskError) continue;
    const chain = opened as OpenChain;
    if (chain.layers[0]!.image.format === "raw") {
      t.ok(length < 512, `${length}: without a whole footer it is no VHD`);
      await chain.close();
      continue;
    }
    openCount++;
    t.equal(chain.source.size, 3 * blockSize);
    for (const [block, value] of [
      [0, 1],
      [1, 0],
      [2, 3],
    ] as const) {
      for (let sector = 0; sector < blockSize; sector += 4096) {
        const at = block * blockSize + sector;
        const bytes = await read(chain.source, at, 4096).catch((error: unknown) => error);
        const isRight = bytes instanceof DiskError || (bytes as Buffer).equals(fill(4096, value));
        if (!isRight) t.fail(`cut at ${length}: byte ${at}`);
      }
    }
    await chain.close();
  }
  t.ok(openCount > 20);
});

t.test("the block of a cut file can be read up to there", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const blockSize = 64 * KIB;
  const bytes = buildVhd({ diskSize: 2 * blockSize, blockSize, blocks: filled(blockSize, [0, 1]) });
  await writeFile(path, bytes.subarray(0, bytes.length - 512 - 1000));
  const chain = await openChain(path);
  t.match(chain.warnings, [/no VHD footer at the end/]);
  t.same(await read(chain.source, blockSize, blockSize - 1000), fill(blockSize - 1000, 2));
  await t.rejects(read(chain.source, 2 * blockSize - 1000, 1), { message: /the image is cut short/ });
  await chain.close();
});

t.test("what qemu-img writes, and what it accepts of ours, is read and mapped as by qemu-img", async (t) => {
  const folder = t.testdir();
  const [raw, path, out] = [join(folder, "a.raw"), join(folder, "a.vhd"), join(folder, "out.raw")];
  const numbers = random(3);
  for (const size of [11 * MIB + 512 * 3, 5 * MIB, 700 * 512]) {
    const scattered = Buffer.alloc(size);
    for (let count = 0; count < 9; count++) {
      const piece = numbers.bytes(Math.min(5000, size));
      piece.copy(scattered, numbers.below(scattered.length - piece.length));
    }
    await writeFile(raw, scattered);
    for (const subformat of ["dynamic", "fixed"]) {
      for (const force of ["off", "on"]) {
        const options = `subformat=${subformat},force_size=${force}`;
        execFileSync("qemu-img", ["convert", "-O", "vpc", "-o", options, raw, path]);
        const bytes = await readAll(path);
        t.ok(bytes.equals(await qemuReads(path, "vpc", out)), options);
        t.ok(bytes.subarray(0, size).equals(scattered));
        const chain = await openChain(path);
        t.same(chain.warnings, []);
        if (subformat === "dynamic") t.same(await weMap(chain.source), qemuMaps(path, "vpc"), options);
        await chain.close();
      }
    }
  }
  for (let seed = 0; seed < 4; seed++) {
    const numbers = random(seed);
    const blockSize = numbers.pick([64 * KIB, 512 * KIB, 2 * MIB]);
    const blocks = new Map<number, VhdBlock>();
    for (let block = 0; block < 12; block++)
      if (numbers.chance(0.6)) blocks.set(block, { data: numbers.bytes(blockSize) });
    const order = numbers.shuffle([...blocks.keys()]);
    await writeVhd(path, { diskSize: 12 * blockSize - 512 * seed, blockSize, blocks, order });
    t.ok((await readAll(path)).equals(await qemuReads(path, "vpc", out)), `ours, seed ${seed}`);
    const chain = await openChain(path);
    t.same(await weMap(chain.source), qemuMaps(path, "vpc"), `ours, seed ${seed}`);
    await chain.close();
  }
});

const corpusVhds = corpus.filter(({ format }) => format.split(":")[0] === "vhd");
for (const image of corpusVhds) {
  t.test(`${image.path} of the corpora is read right${image.isGood ? "" : ", or not at all"}`, (t) =>
    withCorpus(image, async (path) => {
      const truth = truthOf(`truth/${image.id}.disk.sha256`);
      if (truth === undefined) {
        t.notOk(image.isGood);
        await t.resolves(readParts(path));
        return;
      }
      const bytes = await readAll(path);
      const hash = createHash("sha256").update(bytes).digest("hex");
      t.equal(`${hash}  ${bytes.length}`, truth[0]);
    }),
  );
}

t.test("a header that contradicts itself is refused, with the byte", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const blockSize = 16 * KIB;
  const plan = { diskSize: 3 * blockSize, blockSize, blocks: filled(blockSize, [0, 1, 2]) };
  const cases: [RegExp, (file: Buffer) => void][] = [
    [
      /byte 0x200: the VHD dynamic header's signature is "xxsparse", but must be cxsparse/,
      (file) => file.write("x", 512),
    ],
    [
      /byte 0x224: the VHD dynamic header's checksum is 0x0, but must be 0x/,
      (file) => file.writeUInt32BE(0, 512 + 36),
    ],
    [
      /byte 0x21a: VHD block size is 3, |byte 0x220: VHD block size is 3, but must be a power of two/,
      (file) => file.writeUInt32BE(3, 512 + 32),
    ],
    [/VHD block size is 256/, (file) => file.writeUInt32BE(256, 512 + 32)],
    [/VHD dynamic header version is 0x20000/, (file) => file.writeUInt32BE(0x20000, 512 + 24)],
    [
      /VHD disk size is 49152, but must be from 512 to 32768, what 2 blocks of 16384 bytes hold/,
      (file) => file.writeUInt32BE(2, 512 + 28),
    ],
    [
      /byte 0x210: the place of the VHD's block table is 0, but must be neither/,
      (file) => file.writeBigUInt64BE(0n, 512 + 16),
    ],
    [/the place of the VHD's block table is 1000/, (file) => file.writeBigUInt64BE(1000n, 512 + 16)],
    [
      /the end of the VHD's block table is .* cut short/,
      (file) => file.writeBigUInt64BE(10_000_000n, 512 + 16),
    ],
  ];
  for (const [message, damage] of cases) {
    const file = buildVhd(plan);
    damage(file);
    if (!String(message).includes("checksum")) mendHeader(file, 512);
    await writeFile(path, file);
    await t.rejects(openChain(path), { message }, String(message));
  }
  const file = buildVhd(plan);
  for (const at of [0, file.length - 512]) {
    file.writeBigUInt64BE(BigInt(file.length - 600), at + 16);
    mendFooter(file, at);
  }
  await writeFile(path, file);
  await t.rejects(openChain(path), CorruptError);
});

t.test("what changes in the file is read anew: data, bitmaps and the table", async (t) => {
  const blockSize = 16 * KIB;
  const plan: VhdPlan = { diskSize: 3 * blockSize, blockSize, blocks: filled(blockSize, [0, 1]) };
  const bytes = buildVhd(plan);
  const { tableOffset } = planVhd(plan);
  const changes = new ChangeFeed<ByteRange>();
  const file: Storage = {
    location: "/a.vhd",
    name: "a.vhd",
    size: bytes.length,
    changes,
    read: async (into, offset) => {
      into.set(bytes.subarray(offset, offset + into.length));
    },
    close: async () => undefined,
  };
  const image = await vhd.open(file, await openGate([]));
  const layer = await image.layer();
  const seen: ByteRange[] = [];
  layer.changes!.on(seen, (range) => seen.push(range));
  const kinds = async (): Promise<unknown[]> =>
    (await layer.map(0, layer.size)).map(({ kind, length }) => [kind, length / 512]);
  t.same(await kinds(), [
    ["stored", 32],
    ["stored", 32],
    ["absent", 32],
  ]);
  const first = bytes.readUInt32BE(tableOffset);
  const write = (offset: number, value: number): void => {
    bytes.writeUInt32BE(value, offset);
    changes.emit({ offset, length: 4 });
  };
  write(first * 512, 0x00ffffff);
  t.same(await kinds(), [
    ["absent", 8],
    ["stored", 24],
    ["stored", 32],
    ["absent", 32],
  ]);
  write(tableOffset + 8, first); // two blocks in one place
  t.same(await kinds(), [
    ["damaged", 32],
    ["stored", 32],
    ["damaged", 32],
  ]);
  write(tableOffset + 8, 0xffffffff);
  t.same((await kinds())[0], ["absent", 8]);
  t.same(seen, Array(3).fill({ offset: 0, length: 3 * blockSize }));
});

t.test("there are VHDs in the corpora", (t) => {
  t.ok(corpusVhds.some(({ isGood }) => isGood));
  t.end();
});

t.test("a VHD without its signatures is no raw disk, unless it may be one", async (t) => {
  const folder = t.testdir();
  const blockSize = 16 * KIB;
  const dynamic = buildVhd({ diskSize: blockSize, blockSize, blocks: filled(blockSize, [0]) });
  for (const at of [0, dynamic.length - 512]) dynamic.fill(0, at, at + 512);
  await writeFile(join(folder, "a.img"), dynamic);
  await t.rejects(openChain(join(folder, "a.img")), {
    name: "CorruptError",
    message: /this VHD's footer and the copy of it at the beginning is damaged or missing/,
  });
  const disk = random(1).bytes(blockSize);
  for (const name of ["a.avhd", "a.vud"]) {
    await writeFile(join(folder, name), disk);
    await t.rejects(openChain(join(folder, name)), { message: /there is no VHD signature/ });
  }
  await writeFile(join(folder, "a.vhd"), disk);
  const chain = await openChain(join(folder, "a.vhd"));
  t.match(chain.warnings, [/there is no VHD footer: it is read as a raw disk/]);
  await chain.close();
  t.ok((await readAll(join(folder, "a.vhd"))).equals(disk));
});

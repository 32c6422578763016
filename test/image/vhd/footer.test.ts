import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { openChain } from "../../../src/image/chain.js";
import { readAll } from "../image.js";
import { random } from "../random.js";
import { buildVhd, mendFooter, writeVhd, type VhdPlan } from "./builder.js";

const KIB = 2 ** 10;
const blockSize = 64 * KIB;
const numbers = random(11);
const disk = numbers.bytes(3 * blockSize - 512);
const fixed: VhdPlan = { diskSize: disk.length, data: disk };
const dynamic: VhdPlan = {
  diskSize: disk.length,
  blockSize,
  blocks: new Map(
    [2, 0, 1].map((block) => [block, { data: disk.subarray(block * blockSize, (block + 1) * blockSize) }]),
  ),
};

/** The disk of an image with `bytes`, and what is said about it. */
async function opened(t: Test, bytes: Buffer): Promise<{ bytes: Buffer; warnings: readonly string[] }> {
  const path = join(t.testdir(), "a.img");
  await writeFile(path, bytes);
  const chain = await openChain(path);
  t.equal(chain.layers[0]!.image.format, "vhd");
  await chain.close();
  return { bytes: await readAll(path), warnings: chain.warnings };
}

t.test("fixed and dynamic images are known by their footer, whatever they are called", async (t) => {
  for (const plan of [fixed, dynamic]) {
    const { bytes, warnings } = await opened(t, buildVhd(plan));
    t.ok(bytes.equals(disk));
    t.same(warnings, []);
  }
});

t.test("a footer of 511 bytes, as Virtual PC wrote it before 2004, is one", async (t) => {
  for (const plan of [fixed, dynamic]) {
    const { bytes, warnings } = await opened(t, buildVhd({ ...plan, isOld: true }));
    t.ok(bytes.equals(disk));
    t.same(warnings, []);
  }
});

t.test(
  "the copy at the beginning is used where the footer is missing or damaged, and that is said",
  async (t) => {
    const good = buildVhd(dynamic);
    const damages: [RegExp, (file: Buffer) => Buffer][] = [
      [/no VHD footer at the end/, (file) => file.subarray(0, file.length - 512)],
      [/no VHD footer at the end/, (file) => Buffer.concat([file, Buffer.alloc(512)])],
      [/no VHD footer at the end/, (file) => file.fill(0xaa, file.length - 512)],
      [/checksum is wrong/, (file) => file.fill(0xaa, file.length - 512 + 40, file.length - 512 + 56)],
    ];
    for (const [warning, damage] of damages) {
      const { bytes, warnings } = await opened(t, damage(Buffer.from(good)));
      t.ok(bytes.equals(disk));
      t.equal(warnings.length, 1);
      t.match(warnings[0], warning);
    }
  },
);

t.test("a copy at the beginning that is missing, damaged or other is a warning", async (t) => {
  const good = buildVhd(dynamic);
  const damages: [RegExp, (file: Buffer) => Buffer][] = [
    [/copy .* is missing/, (file) => file.fill(0, 0, 512)],
    [/copy .* is damaged/, (file) => file.fill(0xff, 48, 56)],
    [
      /footer and its copy .* differ/,
      (file) => {
        file.writeBigUInt64BE(512n, 48);
        mendFooter(file, 0);
        return file;
      },
    ],
  ];
  for (const [warning, damage] of damages) {
    const { bytes, warnings } = await opened(t, damage(Buffer.from(good)));
    t.ok(bytes.equals(disk), String(warning));
    t.match(warnings, [warning]);
  }
});

t.test("a wrong checksum is believed only if something else confirms the footer", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const both = buildVhd(dynamic);
  for (const at of [0, both.length - 512]) both.writeUInt32BE(1, at + 64);
  t.match((await opened(t, both)).warnings, [/checksum is wrong, but its copy at the beginning is the same/]);

  const sized = buildVhd(fixed);
  sized.writeUInt32BE(1, sized.length - 512 + 64);
  const { bytes, warnings } = await opened(t, sized);
  t.ok(bytes.equals(disk));
  t.match(warnings, [/checksum is wrong; it is used, because the size in it is that of the file/]);

  // Its geometry may be what is damaged: the file's size decides.
  const virtualPc = buildVhd({ ...fixed, creator: "vpc ", geometry: [1, 2, 3] });
  virtualPc.writeUInt32BE(1, virtualPc.length - 512 + 64);
  t.ok((await opened(t, virtualPc)).bytes.equals(disk));

  const other = Buffer.from(sized);
  other.writeBigUInt64BE(BigInt(disk.length - 512), other.length - 512 + 48);
  await writeFile(path, other);
  await t.rejects(readAll(path), {
    name: "CorruptError",
    message: /byte 0x2fe40: the VHD footer's checksum is 0x1, but must be 0xffff[0-9a-f]{4}; no sound copy/,
  });

  const alone = buildVhd(dynamic).subarray(0, -512);
  alone[70]! ^= 1;
  await writeFile(path, alone);
  await t.rejects(readAll(path), { name: "CorruptError", message: /checksum .* there is no footer at byte/ });
});

t.test("the first sector of a fixed image is the guest's, whatever it holds", async (t) => {
  const guest = Buffer.from(disk);
  buildVhd(dynamic).copy(guest, 0, 0, 512);
  const file = buildVhd({ ...fixed, data: guest });
  const { bytes, warnings } = await opened(t, file);
  t.ok(bytes.equals(guest));
  t.same(warnings, []);
});

t.test("the beginning of a fixed image that holds a footer of a fixed one is no copy", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const inner = buildVhd(fixed);
  await writeFile(path, Buffer.concat([inner.subarray(-512), disk]));
  await t.rejects(readAll(path), { name: "CorruptError", message: /the image is cut short/ });
});

t.test("what is no version or type of the specification is refused by name", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  for (const [at, value, message] of [
    [12, 0x20000, /byte 0x[0-9a-f]+c: VHD version is 0x20000, but must be 0x10000/],
    [60, 5, /byte 0x[0-9a-f]+c: VHD type is 5, but must be 2 \(fixed\), 3 \(dynamic\) or 4/],
  ] as const) {
    const file = buildVhd(fixed);
    file.writeUInt32BE(value, file.length - 512 + at);
    mendFooter(file, file.length - 512);
    await writeFile(path, file);
    await t.rejects(readAll(path), { name: "UnsupportedError", message });
  }
});

t.test("a fixed image that was cut short can be read up to there", async (t) => {
  const path = join(t.testdir(), "a.vhd");
  const bytes = buildVhd({ ...fixed, currentSize: disk.length + 4096 });
  await writeFile(path, bytes);
  const chain = await openChain(path);
  t.equal(chain.source.size, disk.length + 4096);
  t.match(chain.warnings, [/the image is cut short/]);
  const kinds = (await chain.source.map(0, chain.source.size)).map(({ kind, length }) => [kind, length]);
  t.same(kinds, [
    ["stored", disk.length],
    ["damaged", 4096],
  ]);
  await chain.close();
});

t.test(
  "the disk's size is the geometry's where the creator's guests see that, and the bytes' elsewhere",
  async (t) => {
    const path = join(t.testdir(), "a.vhd");
    const track = 17 * 4 * 512;
    const sizes: [creator: string, geometry: [number, number, number], currentSize: number, size: number][] =
      [
        ["vpc ", [10, 4, 17], 10 * track + 1024, 10 * track],
        ["qemu", [10, 4, 17], 10 * track - 1024, 10 * track],
        ["vpc ", [0, 0, 0], 4096, 4096],
        ["vpc ", [65535, 16, 255], 4096, 4096],
        ["vpc ", [20, 4, 17], 4096, 4096], // more than the image holds
        ...["win ", "qem2", "d2v ", "tap\0", "CTXS", "vbox", "wa\0\0"].map(
          (creator) =>
            [creator, [10, 4, 17], 11 * track, 11 * track] as [
              string,
              [number, number, number],
              number,
              number,
            ],
        ),
        ["win ", [10, 4, 17], 5000, 4608], // whole sectors
      ];
    for (const [creator, geometry, currentSize, size] of sizes) {
      const plan = { creator, geometry, currentSize, diskSize: 12 * track };
      for (const kind of [{ data: Buffer.alloc(12 * track) }, { blockSize: 8192 }]) {
        await writeVhd(path, { ...plan, ...kind });
        const chain = await openChain(path);
        t.equal(chain.source.size, size, `${creator} ${geometry.join()}`);
        const isSaid = chain.warnings.some((text) => text.includes(`the disk has ${size} bytes`));
        const isOdd = ["vpc ", "qemu"].includes(creator) && geometry[0] !== 65535;
        t.equal(isSaid, isOdd, `${creator}: both sizes are told`);
        await chain.close();
      }
    }
  },
);

import t from "tap";
import { DiskError } from "../../src/errors.js";
import type { Fields, Struct } from "../../src/bytes/struct.js";
import { memorySource } from "../../src/extent/runs.js";
import { read } from "../../src/extent/read.js";
import { GptEntry } from "../../src/volume/gpt/entries.js";
import { GptHeader } from "../../src/volume/gpt/header.js";
import { MbrEntry, MbrSector } from "../../src/volume/mbr-sector.js";
import { readVolumes } from "../../src/volume/volumes.js";
import { bootRecord, disk, gptDisk, placesOf, sign } from "./support.js";

const MIB = 2 ** 20;
const readBytes = (bytes: Buffer) => readVolumes(memorySource(bytes, "a.img"));

t.test("a disk of any size without a table is one volume from end to end", async (t) => {
  for (const size of [0, 1, 511, 512, 513, 1024, 4095, 4096, 8192, 70_001, MIB]) {
    const table = await readVolumes(disk(size));
    t.match(table, { kind: "none", warnings: [], volumes: [{ index: 0, number: 0, offset: 0, type: "" }] });
    t.same(placesOf(table), [[0, 0, size]]);
    t.equal(table.volumes[0]!.source.name, "a.img vol0");
  }
});

t.test("an initialised disk without partitions has no volumes", async (t) => {
  t.match(await readVolumes(disk(MIB, [0, bootRecord([], 0xabcd)])), {
    kind: "mbr",
    uuid: "0000abcd",
    volumes: [],
  });
});

const fatBoot = (slots: Parameters<typeof bootRecord>[0] = []): Buffer => {
  const sector = bootRecord(slots);
  Buffer.from("eb3c906d6b66732e66617400020101000200020002f80100", "hex").copy(sector);
  return sector;
};

t.test("a FAT boot sector is no table, whatever its code looks like", async (t) => {
  const isNone = async (sector: Buffer, comment: string) =>
    t.equal((await readVolumes(disk(MIB, [0, sector]))).kind, "none", comment);
  const text = fatBoot();
  text.write("Remove disks or other media.\xff\r\nDisk error\xff\r\nPress any key", 0x1ac, "latin1");
  await isNone(fatBoot(), "zeros");
  await isNone(text, "text");
  await isNone(fatBoot([{ type: 0x83, start: 0, count: 100 }]), "a partition over the table itself");
  await isNone(fatBoot([{ type: 0x83, start: 1, count: 1e6 }]), "a partition past the disk's end");
  await isNone(
    fatBoot([
      { type: 0x83, start: 10, count: 20 },
      { type: 6, start: 29, count: 9 },
    ]),
    "an overlap",
  );
  await isNone(
    fatBoot([
      { type: 0x83, start: 10, count: 20 },
      { type: 0, start: 29, count: 9 },
    ]),
    "a remnant",
  );
});

t.test(
  "a FAT boot sector without a jump, or with a media byte of its own, is none where a FAT follows",
  async (t) => {
    const noJump = fatBoot();
    noJump.write("\x60\x1cATARI", 0, "latin1");
    const ownMedia = fatBoot();
    ownMedia[0x15] = 0x42;
    for (const sector of [noJump, ownMedia]) {
      const fat = Buffer.from("f8ffff", "hex");
      t.equal((await readVolumes(disk(MIB, [0, sector], [512, fat]))).kind, "none");
    }
  },
);

t.test("a flawless table behind the remains of a FAT boot sector is a table", async (t) => {
  const sector = fatBoot([
    { type: 0x83, start: 100, count: 20 },
    { type: 0x0c, start: 20, count: 80, status: 0x80 },
  ]);
  t.same(placesOf(await readVolumes(disk(MIB, [0, sector]))), [
    [1, 51200, 20 * 512],
    [2, 10240, 80 * 512],
  ]);
});

t.test("a table with a strange status is none, as for the kernel, and is complained about", async (t) => {
  const sector = bootRecord([{ type: 0x83, start: 100, count: 20, status: 0x12 }]);
  const table = await readVolumes(disk(MIB, [0, sector]));
  t.equal(table.kind, "none");
  t.match(table.warnings, [
    "a.img, byte 0x1be: the status of MBR slot 1 is 0x12, but must be 0x00 or 0x80; read as a disk without partitions",
  ]);
});

t.test("every field set to zero, to ones, and past the end, is a table or a DiskError, soon", async (t) => {
  const mbr = Buffer.alloc(MIB);
  bootRecord([
    { type: 0x83, start: 10, count: 10 },
    { type: 0x05, start: 100, count: 1000 },
  ]).copy(mbr);
  bootRecord([
    { type: 0x83, start: 1, count: 10 },
    { type: 0x05, start: 20, count: 20 },
  ]).copy(mbr, 100 * 512);
  bootRecord([{ type: 0x83, start: 1, count: 10 }]).copy(mbr, 120 * 512);
  const gpt = gptDisk({
    size: MIB,
    entries: [{ first: 40, last: 99 }, undefined, { first: 100, last: 199 }],
  });
  const backup = MIB - 512;

  for (const at of [0, 100 * 512, 120 * 512]) {
    await tortureStruct(mbr, MbrSector, at);
    for (let slot = 0; slot < 4; slot++) await tortureStruct(mbr, MbrEntry, at + 0x1be + slot * 16);
  }
  for (const resign of [true, false]) {
    await tortureStruct(gpt, GptHeader, 512, resign);
    await tortureStruct(gpt, GptHeader, backup, resign);
  }
  await tortureStruct(gpt, GptEntry, 1024, true);
  await tortureStruct(gpt, GptEntry, 1280, true);

  async function tortureStruct<F extends Fields>(
    image: Buffer,
    { name, fields }: Struct<F>,
    at: number,
    resign = false,
  ): Promise<void> {
    for (const [key, { offset, length }] of Object.entries(fields)) {
      for (const value of [0, 0xff, 0x7f, "past the end"] as const) {
        const bytes = Buffer.from(image);
        const field = bytes.subarray(at + offset, at + offset + length);
        field.fill(value === "past the end" ? 0 : value);
        if (value === "past the end")
          field.writeUIntLE(Math.min(2081, 2 ** (8 * length) - 1), 0, Math.min(length, 4));
        if (resign) {
          sign(bytes.subarray(512, 1024));
          sign(bytes.subarray(backup));
        }
        await survives(bytes, `${name}.${key} at ${at} as ${value}`);
      }
    }
  }

  async function survives(bytes: Buffer, comment: string): Promise<void> {
    const began = performance.now();
    try {
      const table = await readBytes(bytes);
      for (const { source } of table.volumes) await read(source, 0, Math.min(source.size, 512));
    } catch (error) {
      if (!(error instanceof DiskError)) t.fail(comment, { error });
    }
    const took = performance.now() - began;
    if (took > 1000) t.fail(`${comment}: ${took} ms`);
  }
});

t.test("thousands of tables with random bytes in them end in a table or a DiskError", async (t) => {
  let state = 20260301;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const gpt = gptDisk({
    size: 64 * 1024,
    entries: [{ first: 40, last: 99 }, undefined, { first: 60, last: 80 }],
  });
  let tables = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(gpt.subarray(0, round % 3 === 0 ? random(gpt.length) : gpt.length));
    if (round % 2 === 0) bytes.fill(0, 510);
    bytes.writeUInt16LE(0xaa55, Math.min(510, Math.max(0, bytes.length - 2)));
    for (let i = random(12); i > 0 && bytes.length > 1280; i--) {
      bytes[[0x1be + random(64), 512 + random(92), 1024 + random(256)][random(3)]!] = random(256);
    }
    if (bytes.length >= 1024 && round % 5 !== 0) sign(bytes.subarray(512, 1024));
    try {
      await readBytes(bytes);
      tables++;
    } catch (error) {
      if (!(error instanceof DiskError)) t.fail(`round ${round}`, { error });
    }
  }
  t.ok(tables > 1000);
});

import t from "tap";
import { read } from "../../src/extent/read.js";
import { memorySource } from "../../src/extent/runs.js";
import { MAX_ENTRIES_SIZE } from "../../src/volume/gpt/header.js";
import { readVolumes } from "../../src/volume/volumes.js";
import { bootRecord, damaged, gptDisk, LINUX, placesOf, sign, type GptOptions } from "./support.js";

const MIB = 2 ** 20;
const ENTRIES = [
  undefined,
  { first: 3000, last: 3999, name: "später", attributes: 4 },
  undefined,
  { first: 100, last: 299, type: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" },
];
const PLACES = [
  [2, 3000 * 512, 1000 * 512],
  [4, 100 * 512, 200 * 512],
];

const built = (options: Partial<GptOptions> = {}): Buffer =>
  gptDisk({ size: 4 * MIB, entries: ENTRIES, ...options });
const tableOf = (bytes: Buffer) => readVolumes(memorySource(bytes, "a.img"));
const lastHeader = (bytes: Buffer): Buffer => bytes.subarray(bytes.length - 512);

t.test("volumes are in table order, dense from 0, with the slot as their number", async (t) => {
  const bytes = built();
  bytes.write("here", 100 * 512);
  const table = await tableOf(bytes);
  t.match(table, {
    kind: "gpt",
    sectorSize: 512,
    uuid: "01234567-89ab-cdef-0123-456789abcdef",
    warnings: [],
  });
  t.same(placesOf(table), PLACES);
  t.match(table.volumes, [
    { index: 0, number: 2, type: LINUX, typeName: "Linux native", bootable: true, label: "später" },
    { index: 1, number: 4, typeName: "EFI system partition", bootable: false },
  ]);
  t.notOk("label" in table.volumes[1]!);
  t.equal(table.volumes[0]!.uuid, "00000002-0000-0000-0000-000000000000");
  t.equal(table.volumes[1]!.source.name, "a.img vol1");
  t.equal((await read(table.volumes[1]!.source, 0, 4)).toString(), "here");
});

t.test("sectors of 4096 bytes, larger entries and larger headers are read", async (t) => {
  for (const [sectorSize, entrySize, headerSize] of [
    [512, 136, 92],
    [512, 256, 512],
    [4096, 128, 92],
    [4096, 1024, 4096],
  ] as const) {
    const entries = [{ first: 300, last: 300 }, undefined, { first: 200, last: 299 }];
    const table = await tableOf(built({ sectorSize, entrySize, headerSize, entryCount: 20, entries }));
    t.equal(table.sectorSize, sectorSize);
    t.same(placesOf(table), [
      [1, 300 * sectorSize, sectorSize],
      [3, 200 * sectorSize, 100 * sectorSize],
    ]);
    t.same(table.warnings, []);
  }
});

t.test("the backup is used, and said to be, where the primary is damaged, gone or unreadable", async (t) => {
  for (const [at, warning] of [
    [512 + 0x40, /byte 0x210: GPT header checksum is 0x/],
    [1024 + 200, /byte 0x258: GPT entries' checksum is 0x/],
    [512, /the primary is missing/],
  ] as const) {
    const bytes = built();
    bytes[at]! ^= 0xff;
    const table = await tableOf(bytes);
    t.same(placesOf(table), PLACES);
    t.match(table.warnings.join("\n"), warning);
    t.match(table.warnings.join("\n"), "byte 0x3ffe00: the GPT's backup is used");
  }
  const table = await readVolumes(damaged(memorySource(built(), "a.img"), 512, 100));
  t.same(placesOf(table), PLACES);
  t.match(table.warnings[0], /a cluster is lost/);
});

t.test("the backup of a disk that has grown is found, with and without a trace of where", async (t) => {
  for (const pad of [512, 1000, MIB, 20 * MIB]) {
    const bytes = Buffer.concat([built(), Buffer.alloc(pad)]);
    bytes[1024]! ^= 0xff;
    t.same(placesOf(await tableOf(bytes)), PLACES, `grown by ${pad}, known from the primary`);
    bytes.fill(0, 512, 1024);
    t.same(placesOf(await tableOf(bytes)), PLACES, `grown by ${pad}, known from the protective MBR`);
    bytes.writeUInt32LE(0xffffffff, 0x1be + 12);
    if (pad < 2 * MIB) t.same(placesOf(await tableOf(bytes)), PLACES, `grown by ${pad}, searched for`);
  }
});

t.test("two damaged copies are a problem that names both places, and the disk is one volume", async (t) => {
  const isProblem = async (bytes: Buffer, problem: { code?: string; message: RegExp }): Promise<void> => {
    const table = await tableOf(bytes);
    t.match(table, { kind: "none", problem });
    t.same(placesOf(table), [[0, 0, bytes.length]]);
    t.match(table.warnings, [/^the partition table cannot be read, vol0 is the whole disk: /]);
  };
  const bytes = built();
  bytes[512 + 0x40]! ^= 1;
  lastHeader(bytes)[0x40]! ^= 1;
  await isProblem(bytes, {
    code: "CORRUPT",
    message:
      /backup is damaged \(a.img, byte 0x3ffe10: GPT header checksum.*too: a.img, byte 0x210: GPT header checksum/,
  });
  bytes.fill(0, 512, 1024);
  await isProblem(bytes, { message: /^the GPT's primary is missing: a.img, byte 0x3ffe10/ });
  await isProblem(built().subarray(0, 4096), {
    message: /backup is missing, its primary damaged too/,
  });
});

t.test("a GPT speaks for a first sector that cannot be read", async (t) => {
  const table = await readVolumes(damaged(memorySource(built(), "a.img"), 0, 512));
  t.same(placesOf(table), PLACES);
  t.match(table.warnings, [/a cluster is lost/]);
  t.equal(table.problem, undefined);
  for (const bytes of [built(), Buffer.concat([built(), Buffer.alloc(MIB)])]) {
    const start = await readVolumes(damaged(memorySource(bytes, "a.img"), 0, 17_408));
    t.same(placesOf(start), PLACES, "with the backup alone");
    t.match(start.warnings.join("\n"), /a cluster is lost[^]*the GPT's backup is used/);
  }
});

t.test("a boot sector's code does not protect a GPT's remains by chance", async (t) => {
  const bytes = built();
  bytes.fill(0, 0, 17408);
  bootRecord([{ type: 0xee, start: 0x20746f6e, count: 0x656e6163, status: 0x73 }]).copy(bytes);
  t.equal((await tableOf(bytes)).kind, "none");
});

t.test("a header that lies under a right checksum is refused, and the backup used", async (t) => {
  for (const [at, value, warning] of [
    [0x0c, 91, "GPT header size is 91, but must be from 92 to 512"],
    [0x0c, 513, "GPT header size is 513"],
    [0x18, 2, "GPT header's own sector is 2, but must be 1"],
    [0x48, 0xffffffff, "GPT entries' first sector is 4294967295"],
    [0x50, MAX_ENTRIES_SIZE / 128 + 1, "GPT entry count is 32769, but must be at most 32768"],
    [0x54, 120, "GPT entry size is 120"],
    [0x54, 130, "GPT entry size is 130"],
  ] as const) {
    const bytes = built();
    bytes.writeUInt32LE(value, 512 + at);
    sign(bytes.subarray(512, 1024));
    const table = await tableOf(bytes);
    t.same(placesOf(table), PLACES);
    t.match(table.warnings[0], warning);
  }
});

t.test("partitions past the disk's end keep their place and are clipped", async (t) => {
  const whole = built({ entries: [{ first: 8000, last: 8100 }, ...ENTRIES] });
  const table = await tableOf(whole.subarray(0, 3500 * 512 + 7));
  t.same(placesOf(table), [
    [1, 8000 * 512, 0],
    [3, 3000 * 512, 500 * 512 + 7],
    [5, 100 * 512, 200 * 512],
  ]);
  t.match(table.warnings, [/partition 1 is byte 4147712, but must be at most 1792007/, /partition 3/]);
});

t.test(
  "entries that end before they begin are left out, overlapping ones stay; both with a warning",
  async (t) => {
    const table = await tableOf(
      built({
        entries: [
          { first: 200, last: 199 },
          { first: 300, last: 399 },
          { first: 399, last: 2 ** 63 },
          { first: 2 ** 60, last: 2 ** 61 },
        ],
      }),
    );
    t.same(placesOf(table), [
      [2, 300 * 512, 100 * 512],
      [3, 399 * 512, 4 * MIB - 399 * 512],
    ]);
    t.match(table.warnings, [
      /byte 0x420: the first sector of GPT entry 1 is 200, but must be at most 199/,
      /GPT entry 4/,
      /the start of partition 3 is byte 204288, but must be at least 204800, the end of partition 2/,
      /the end of partition 3/,
    ]);
  },
);

t.test("a thousand odd entries do not make a thousand warnings", async (t) => {
  const entries = Array.from({ length: 1000 }, () => ({ first: 7, last: 2 ** 50 }));
  const table = await tableOf(built({ entries, entryCount: 1000 }));
  t.match(table.warnings.at(-1), /^and \d+ more$/);
});

t.test("of a thousand partitions those are shown that Linux would show, and the rest is told", async (t) => {
  const entries = Array.from({ length: 1000 }, (_, index) => ({ first: 1000 + index, last: 1000 + index }));
  const table = await tableOf(built({ entries, entryCount: 1000 }));
  t.equal(table.volumes.length, 255);
  t.equal(table.volumes.at(-1)!.offset, 1254 * 512);
  t.match(table.warnings, [/GPT entry 256 and those behind it is past the 255 that are shown/]);
});

t.test("a hybrid MBR is not looked at", async (t) => {
  const bytes = built();
  const hybrid = [
    { type: 0xee, start: 1, count: 99 },
    { type: 0x0c, start: 100, count: 200 },
  ];
  bootRecord(hybrid).copy(bytes);
  t.same(placesOf(await tableOf(bytes)), PLACES);
});

t.test("a GPT without its protective MBR counts only where nothing else claims the disk", async (t) => {
  const wiped = built();
  wiped.fill(0, 0, 512);
  const rescued = await tableOf(wiped);
  t.same(placesOf(rescued), PLACES);
  t.match(rescued.warnings, [/protective MBR is missing/]);
  wiped.fill(0, 0, 32768);
  t.equal((await tableOf(wiped)).kind, "gpt", "from the backup alone");
  const repartitioned = built();
  bootRecord([{ type: 0x83, start: 2048, count: 100 }]).copy(repartitioned);
  t.equal((await tableOf(repartitioned)).kind, "mbr");
  wiped.write("XFSB");
  t.equal((await tableOf(wiped)).kind, "none");
  wiped.write("????");
  t.equal((await tableOf(wiped)).kind, "none", "unknown, but not nothing");
});

t.test("a protective MBR that protects nothing is an MBR with one volume, and a warning", async (t) => {
  const bytes = Buffer.alloc(MIB);
  bootRecord([{ type: 0xee, start: 1, count: 0xffffffff }]).copy(bytes);
  const table = await tableOf(bytes);
  t.match(table, { kind: "mbr", volumes: [{ typeName: "GPT protective" }] });
  t.match(table.warnings[0], "the protective MBR's GPT is neither at the disk's start nor at its end");
});

import t from "tap";
import { memorySource } from "../../src/extent/runs.js";
import { readVolumes } from "../../src/volume/volumes.js";
import { bootRecord, damaged, disk, placesOf, type Slot } from "./support.js";

const MIB = 2 ** 20;
const byPlace = async (...args: Parameters<typeof disk>) => placesOf(await readVolumes(disk(...args)));
const extended = (start: number, count: number, type = 0x05): Slot => ({ type, start, count });
const linux = (start: number, count: number): Slot => ({ type: 0x83, start, count });

t.test("primaries come in slot order; empty and typeless slots are not used", async (t) => {
  const table = await readVolumes(
    disk(MIB, [
      0,
      bootRecord(
        [linux(500, 20), { type: 0, start: 7, count: 7 }, linux(9, 0), { ...linux(63, 90), status: 0x80 }],
        0x8f8378c,
      ),
    ]),
  );
  t.match(table, { kind: "mbr", sectorSize: 512, uuid: "08f8378c", warnings: [] });
  t.same(placesOf(table), [
    [1, 500 * 512, 20 * 512],
    [4, 63 * 512, 90 * 512],
  ]);
  t.match(table.volumes, [
    { index: 0, type: "0x83", typeName: "Linux native", bootable: false },
    { index: 1, bootable: true },
  ]);
});

t.test("logicals follow in chain order, from 5, whatever the container's type", async (t) => {
  for (const type of [0x05, 0x0f, 0x85]) {
    const places = await byPlace(
      MIB,
      [900 * 512, bootRecord([linux(3, 30)])],
      [0, bootRecord([extended(400, 900, type), linux(10, 20)])],
      [700 * 512, bootRecord([undefined, extended(500, 60)])], // a record without a partition
      [400 * 512, bootRecord([linux(1, 200), extended(300, 70, type)])],
    );
    t.same(places, [
      [2, 10 * 512, 20 * 512],
      [5, 401 * 512, 200 * 512],
      [6, 903 * 512, 30 * 512],
    ]);
  }
});

t.test(
  "every extended partition is followed, and slots three and four of a record where they fit",
  async (t) => {
    const places = await byPlace(
      MIB,
      [0, bootRecord([extended(1000, 100), undefined, extended(200, 100)])],
      [200 * 512, bootRecord([linux(1, 10), undefined, linux(20, 10), linux(95, 10)])],
      [1000 * 512, bootRecord([linux(2, 10)])],
    );
    t.same(
      places.map(([number, offset]) => [number, offset! / 512]),
      [
        [5, 1002],
        [6, 201],
        [7, 220],
      ],
    );
  },
);

t.test("a chain that ends badly gives what came before, and says where", async (t) => {
  for (const [link, warning] of [
    [0, /byte 0x321ce: .* is sector 400 again; the logical partitions after it are not shown/],
    [100, /byte 0x321ce: .* is without a boot signature, at byte 0x3e9fe;/],
    [5000, /byte 0x321ce: .* is at byte 0x2a3000, past the disk's end;/],
  ] as const) {
    const table = await readVolumes(
      disk(
        MIB,
        [0, bootRecord([linux(10, 20), extended(400, 1000)])],
        [400 * 512, bootRecord([linux(1, 20), extended(link, 100)])],
      ),
    );
    t.same(placesOf(table), [
      [1, 10 * 512, 20 * 512],
      [5, 401 * 512, 20 * 512],
    ]);
    t.match(table.warnings, [warning]);
  }
});

t.test("an unreadable record ends the chain with its own complaint", async (t) => {
  const source = disk(
    MIB,
    [0, bootRecord([extended(400, 1000)])],
    [400 * 512, bootRecord([linux(1, 20), extended(50, 100)])],
  );
  const table = await readVolumes(damaged(source, 450 * 512, 512));
  t.equal(table.volumes.length, 1);
  t.match(table.warnings, [/byte 0x38400: a cluster is lost/]);
});

t.test("ten thousand records end at the kernel's limit, soon", async (t) => {
  const count = 10_000;
  const bytes = Buffer.alloc((count + 10) * 2 * 512);
  bootRecord([extended(2, 2 * count)]).copy(bytes);
  for (let i = 0; i < count; i++) {
    bootRecord([linux(1, 1), extended(2 * (i + 1), 2)]).copy(bytes, (2 + 2 * i) * 512);
  }
  const table = await readVolumes(memorySource(bytes, "a.img"));
  t.equal(table.volumes.length, 256);
  t.match(table.warnings, [/one after 256 others/]);
});

t.test("a table of a disk with 4096-byte sectors is told by what lies at its places", async (t) => {
  const table = bootRecord([linux(16, 16), extended(40, 60)]);
  const links = [40 * 4096, bootRecord([linux(8, 8)])] as const;
  const large = await readVolumes(disk(MIB, [0, table], links));
  t.equal(large.sectorSize, 4096);
  t.same(placesOf(large), [
    [1, 16 * 4096, 16 * 4096],
    [5, 48 * 4096, 8 * 4096],
  ]);
  const both = await readVolumes(disk(MIB, [0, table], links, [40 * 512, bootRecord([])]));
  t.equal(both.sectorSize, 512, "512 where both are likely");
  t.equal((await readVolumes(disk(MIB, [0, table]))).sectorSize, 512, "512 where neither is");
});

t.test("partitions past the disk's end keep their place and are clipped", async (t) => {
  const table = await readVolumes(
    disk(100_000, [0, bootRecord([linux(4000, 9), linux(10, 0xffffffff), linux(100, 3)])]),
  );
  t.same(placesOf(table), [
    [1, 4000 * 512, 0],
    [2, 5120, 100_000 - 5120],
    [3, 51200, 3 * 512],
  ]);
  t.equal(table.warnings.length, 4, "two cut short, and two in another");
});

t.test("the first sector's damage is not hidden behind an answer", async (t) => {
  const table = await readVolumes(damaged(disk(MIB), 0, 512));
  t.match(table, { kind: "none", problem: { code: "CORRUPT", message: /a cluster/ } });
  t.same(placesOf(table), [[0, 0, MIB]], "the disk is one volume all the same");
  t.match(table.warnings, [/^the partition table cannot be read, vol0 is the whole disk: .*a cluster/]);
});

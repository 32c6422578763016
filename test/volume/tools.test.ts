/**
 * Tables that real tools make, judged by other programs: sfdisk, partx (libblkid), mmls (The Sleuth Kit), sgdisk,
 * blkid. Needs root for the loop devices with sectors of 4096 bytes.
 */
import { closeSync, openSync, readSync, rmSync, truncateSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import t, { type Test } from "tap";
import { placesOf, run, sparseFile, volumesOf } from "./support.js";

const MIB = 2 ** 20;
const SIZE = 310 * MIB;
const MBR_SCRIPT = `label: dos
label-id: 0x01c0ffee
2048,4096,83,*
8192,100000,5
300000,10001,c
60001,4097,82
16384,2000,7
33333,77
`;

/** A fresh disk image, gone after the test. */
function image(t: Test, size = SIZE): string {
  const path = sparseFile(size);
  t.teardown(() => {
    rmSync(dirname(path), { recursive: true });
  });
  return path;
}

/** Number, first byte and bytes of what libblkid sees; it counts 512-byte sectors, whatever the disk's. */
const byPartx = (path: string): number[][] =>
  run("partx", ["--noheadings", "--raw", "--output", "NR,START,SECTORS", path])
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" ").map(Number))
    .map(([number, start, sectors]) => [number!, start! * 512, sectors! * 512]);

const bySfdisk = (path: string): number[][] => {
  const { partitiontable } = JSON.parse(run("sfdisk", ["--json", path])) as {
    partitiontable: {
      sectorsize: number;
      partitions: { node: string; start: number; size: number; type: string }[];
    };
  };
  return partitiontable.partitions
    .filter(({ type }) => type !== "5")
    .map(({ node, start, size }) => [
      Number(/\d+$/.exec(node)![0]),
      start * partitiontable.sectorsize,
      size * partitiontable.sectorsize,
    ]);
};

/** First byte and bytes, in the disk's order. */
const byMmls = (path: string, sectorSize = 512): number[][] =>
  run("mmls", ["-a", "-b", sectorSize.toString(), path])
    .split("\n")
    .map(
      (line) => /^\d+: +\d+:\d+ +(\d+) +\d+ +(\d+)/.exec(line) ?? /^\d+: +\d+ +(\d+) +\d+ +(\d+)/.exec(line),
    )
    .filter((match) => match !== null)
    .map((match) => [Number(match[1]) * sectorSize, Number(match[2]) * sectorSize]);

const inDiskOrder = (places: number[][]): number[][] =>
  places.map((place) => place.slice(1)).sort((a, b) => a[0]! - b[0]!);

t.test("an MBR with scattered logical partitions is what sfdisk, libblkid and mmls say", async (t) => {
  const path = image(t);
  run("sfdisk", ["--quiet", path], MBR_SCRIPT);
  const table = await volumesOf(path);
  t.match(table, { kind: "mbr", sectorSize: 512, uuid: "01c0ffee", warnings: [] });
  t.same(placesOf(table), bySfdisk(path));
  t.same(
    placesOf(table),
    byPartx(path).filter(([number]) => number !== 2),
  );
  t.same(inDiskOrder(placesOf(table)), byMmls(path));
  t.same(
    table.volumes.map(({ type, bootable }) => [type, bootable]),
    [
      ["0x83", true],
      ["0x0c", false],
      ["0x82", false],
      ["0x07", false],
      ["0x83", false],
    ],
  );
});

t.test("a GPT is what sgdisk, libblkid and mmls say, from either copy", async (t) => {
  const path = image(t);
  run("sgdisk", [
    ...["--set-alignment=1", "--new=7:40:99", "--new=2:100:2047", "--new=5:4096:-3"],
    ...["--typecode=2:ef00", "--change-name=5:Größe 日本", "--attributes=7:set:2"],
    ...["--disk-guid=01234567-89AB-CDEF-0123-456789ABCDEF", path],
  ]);
  const check = async (): Promise<readonly string[]> => {
    const table = await volumesOf(path);
    t.match(table, { kind: "gpt", uuid: "01234567-89ab-cdef-0123-456789abcdef" });
    t.same(placesOf(table), byPartx(path));
    t.same(
      table.volumes.map(({ label, bootable, typeName }) => [label, bootable, typeName]),
      [
        [undefined, false, "EFI system partition"],
        ["Größe 日本", false, "Linux native"],
        [undefined, true, "Linux native"],
      ],
    );
    for (const { number, uuid, type } of table.volumes) {
      const info = run("sgdisk", [`--info=${number}`, path]).toLowerCase();
      t.match(info, `partition guid code: ${type}`);
      t.match(info, `partition unique guid: ${uuid}`);
    }
    return table.warnings;
  };
  t.same(await check(), []);
  t.same(inDiskOrder(placesOf(await volumesOf(path))), byMmls(path));
  overwrite(path, 1024 + 128 + 40, Buffer.from([0xaa]));
  t.match(await check(), [/entries' checksum/, /the GPT's backup is used/]);
  overwrite(path, 512, Buffer.alloc(512));
  t.match(await check(), [/the primary is missing/]);
});

t.test(
  "a GPT with 512 entries, and one on a disk that has grown, are what libblkid and sgdisk say",
  async (t) => {
    const path = image(t);
    run("sgdisk", ["--resize-table=512", "--new=400:4096:8191", "--new=3:9000:9000", path]);
    t.same(placesOf(await volumesOf(path)), byPartx(path));
    truncateSync(path, SIZE + 5 * MIB);
    const grown = await volumesOf(path);
    t.same(placesOf(grown), byPartx(path));
    overwrite(path, 512, Buffer.alloc(4));
    const rescued = await volumesOf(path);
    t.same(placesOf(rescued), placesOf(grown), "where no other program looks any more");
    t.match(rescued.warnings, [/the GPT's backup is used/]);
  },
);

t.test("disks with sectors of 4096 bytes are what the loop device's sector size makes them", async (t) => {
  for (const label of ["dos", "gpt"]) {
    const path = image(t);
    const loop = run("losetup", ["--find", "--show", "--sector-size", "4096", path]).trim();
    try {
      const script =
        label === "dos" ? "600,1000\n2000,9000,5\n40000,77\n2304,500\n" : "600,1000\n40000,77\n2304,500\n";
      run("sfdisk", ["--quiet", "--no-reread", "--no-tell-kernel", loop], `label: ${label}\n${script}`);
      if (label === "dos") run("mkfs.ext4", ["-q", "-F", "-E", `offset=${600 * 4096}`, path, "1000k"]);
      const table = await volumesOf(path);
      t.equal(table.sectorSize, 4096);
      t.same(placesOf(table), bySfdisk(loop));
      t.same(inDiskOrder(placesOf(table)), byMmls(path, 4096));
      t.same(placesOf(await volumesOf(loop)), placesOf(table));
    } finally {
      run("losetup", ["--detach", loop]);
    }
  }
});

t.test(
  "a file system made over a whole partitioned disk is one volume where blkid sees no table",
  async (t) => {
    const makers = [
      "mkfs.ext4 -q -F",
      "mkfs.ext4 -q -F -b 1024",
      "mkfs.fat",
      "mkfs.fat -F 32",
      "mkfs.fat --mbr=yes",
      "mkfs.ntfs -F -Q -q",
      "mkfs.exfat",
      "mkfs.xfs -q -f",
      "mkfs.btrfs -q -f",
      "mkswap -q",
      "mkswap -q -f",
    ];
    for (const label of ["dos", "gpt"]) {
      for (const maker of makers) {
        const path = image(t);
        run("sfdisk", ["--quiet", path], label === "dos" ? MBR_SCRIPT : "label: gpt\n2048,4096\n9999,77\n");
        const before = placesOf(await volumesOf(path));
        const [program, ...args] = maker.split(" ");
        run(program!, [...args, path]);
        const after = await volumesOf(path);
        // libblkid calls exFAT's boot sector a table too, one with nothing in it.
        const hasTable =
          run("blkid", ["--probe", path]).includes("PTTYPE=") && !maker.startsWith("mkfs.exfat");
        t.same(placesOf(after), hasTable ? before : [[0, 0, SIZE]], `${maker} over ${label}`);
      }
    }
  },
);

t.test("ext4 put under a GPT whose protective MBR and backup survive is one volume", async (t) => {
  const path = image(t);
  run("sgdisk", ["--new=1:2048:9999", path]);
  const sector = Buffer.alloc(1024);
  const file = openSync(path, "r");
  readSync(file, sector, 0, 1024, 0);
  closeSync(file);
  run("mkfs.ext4", ["-q", "-F", path, `${SIZE / 1024 - 64}k`]);
  overwrite(path, 0, sector);
  t.match(await volumesOf(path), { kind: "none", volumes: [{ number: 0 }] });
});

function overwrite(path: string, offset: number, bytes: Buffer): void {
  const file = openSync(path, "r+");
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}

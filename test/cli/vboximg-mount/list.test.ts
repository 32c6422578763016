/** What `vboximg-mount --list` prints of real settings, and of the partitions of real disks. */
import { closeSync, openSync, readSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import t, { type Test } from "tap";
import { BASE, NEWEST, output } from "../../support/command.js";
import { run as judge, sparseFile } from "../../volume/support.js";
import { BROKEN, furnish, LEAF_UUID, MACHINE, SNAPSHOT } from "./home.js";
import { vboximgMount } from "./support.js";

const BASE_UUID = uuidAt(BASE, 392);

/** A UUID as it lies in a VDI, by hand: VirtualBox's VDICore.h, VDIHEADER1.uuidCreate. */
function uuidAt(path: string, offset: number): string {
  const bytes = Buffer.alloc(16);
  readSync(openSync(path, "r"), bytes, 0, 16, offset);
  const hex = (from: number, to: number): string => bytes.subarray(from, to).toString("hex");
  const swapped = [bytes.subarray(0, 4), bytes.subarray(4, 6), bytes.subarray(6, 8)].map((part) =>
    Buffer.from(part).reverse().toString("hex"),
  );
  return [...swapped, hex(8, 10), hex(10, 16)].join("-");
}

/** The size on the host, by numfmt. */
async function sizeOf(path: string): Promise<string> {
  const bytes = (await output("stat", "-c", "%s", path)).trim();
  return (await output("numfmt", "--to=iec", "--round=down", "--format=%.1f", bytes)).trim();
}

t.test("all machines, in the three formats, with every combination of the flags", async (t) => {
  const home = t.testdir({});
  const { base, leaf } = furnish(home, BASE_UUID);
  const [baseSize, leafSize] = [await sizeOf(base), await sizeOf(leaf)];
  const short = `-----------------------------------------------------------------
VM:   The web
UUID: ${MACHINE}

    Image:   web.vdi
    UUID:    ${BASE_UUID}

         Snapshot: ${LEAF_UUID}
         Size:     ${leafSize}


    Image:   data.vmdk
    UUID:    79a370bd-0c4f-480a-30bb-10cdea68423f
    Error:   no such file: data.vmdk


`;
  const verbose = `-----------------------------------------------------------------
VM Name:   "The web"
UUID:      ${MACHINE}
Desc:      Serves pages
Path:      ${home}/VirtualBox VMs/web/web.vbox

    Image:   web.vdi
    Desc:    snapshot "Before update"
    UUID:    ${BASE_UUID}
    Path:    ${base}
    Format:  VDI
    Size:    ${baseSize}
    State:   created
    Type:    normal

         Snapshot: ${LEAF_UUID}
         Name:     {${LEAF_UUID}}.vdi
         Desc:     current state
         Size:     ${leafSize}
         Path:     ${leaf}


    Image:   data.vmdk
    Desc:    current state
    UUID:    79a370bd-0c4f-480a-30bb-10cdea68423f
    Path:    data.vmdk
    Format:  VMDK
    Size:    0.0
    State:   no access
    Type:    writethrough
    Error:   no such file: data.vmdk


`;
  const wide = `
VM  Image                             Size   Type          State  UUID (hierarchy)
-----------------------------------------------------------------  ------------------------------------
The web                                                            ${MACHINE}
 |
 +- web.vdi                          ${baseSize.padStart(7)}  VDI         created  ${BASE_UUID}
 |  +- <snapshot>                    ${leafSize.padStart(7)}  VDI         created    ${LEAF_UUID}
 |
 +- data.vmdk                           0.0   VMDK      no access  79a370bd-0c4f-480a-30bb-10cdea68423f

`;
  const shapes: [string, readonly (readonly string[])[]][] = [
    [short, [["-l"], ["--list"]]],
    [verbose, [["-lv"], ["-vl"], ["--list", "--verbose"], ["-lwv"], ["-w", "-lv"]]],
    [wide, [["-lw"], ["-wl"], ["--wide", "--list"]]],
  ];
  for (const [expected, uses] of shapes) {
    for (const args of uses) {
      const { code, stdout, stderr } = await vboximgMount(home, args);
      t.equal(code, 0, stderr);
      t.ok(stdout.startsWith(expected), `${args.join(" ")}\n${stdout}`);
      t.match(stdout.slice(expected.length), /Broken.*Broken\.vbox/s, "the machine that cannot be read");
      t.match(stdout.slice(expected.length), BROKEN);
    }
  }
  const writer = openSync(leaf, "r+");
  const inUse = await vboximgMount(home, ["-lw"]);
  t.equal(
    inUse.stdout.slice(0, wide.length),
    wide.replace("created", "  rlock").replace("created", "  wlock"),
  );
  closeSync(writer);
  for (const args of [
    ["--vm", MACHINE],
    [`--vm=${MACHINE}`],
    ["--vm", `{${MACHINE}}`],
    ["--vm", "The web"],
  ]) {
    t.match(await vboximgMount(home, ["--list", ...args]), { code: 0, stdout: short }, args.join(" "));
  }
  t.match(await vboximgMount(home, ["-l", "--vm", "nobody"]), {
    code: 66,
    stdout: /^$/,
    stderr: /"The web"/,
  });
});

t.test(
  "the partitions of an image, given by its path, its UUID, its name or a snapshot's UUID",
  async (t) => {
    const home = t.testdir({});
    const { base, leaf } = furnish(home, BASE_UUID);
    const table = `
Partition   Boot  Start  Sectors   Size   Offset  Type
web.vdi(0)  *      2048  4096      2.0M  1048576  Linux native
web.vdi(1)         8192  22528    11.0M  4194304  Linux native

`;
    const current = `
Virtual disk image:

   Base: ${base}
   Diff: ${leaf}
   UUID: ${LEAF_UUID}
${table}`;
    const before = `
Virtual disk image:

   Base: ${base}
   UUID: ${BASE_UUID}
${table}`;
    const uses: [string, string, ...string[]][] = [
      [current, leaf, LEAF_UUID, `{${LEAF_UUID}}`, `{${LEAF_UUID}}.vdi`],
      [before, base, BASE_UUID, "web.vdi", SNAPSHOT],
    ];
    for (const [expected, ...names] of uses) {
      for (const name of names) {
        const { code, stdout, stderr } = await vboximgMount(home, ["--list", `--image=${name}`]);
        t.equal(code, 0, stderr);
        t.equal(stdout, expected, name);
      }
    }
    for (const args of [
      ["-l", "-i", leaf],
      ["-lvi", leaf],
      ["-wl", `-i${leaf}`],
      ["-l", "--image", leaf, "/mnt"],
    ]) {
      t.match(await vboximgMount(home, args), { code: 0, stdout: current }, args.join(" "));
    }
    t.match(await vboximgMount(home, ["-l", "-i", BASE_UUID]), {
      stderr: new RegExp(
        `an old state of the disk; -i ${LEAF_UUID} opens the current state, and vboximg-mount -lv lists`,
      ),
    });
    t.match(await vboximgMount(home, ["-l", "-i", "79a370bd-0c4f-480a-30bb-10cdea68423f"]), {
      code: 66,
      stderr: /data\.vmdk/,
    });
    t.match(await vboximgMount(home, ["-l", "-i", MACHINE]), {
      code: 66,
      stderr: /several images.*\{5b2c.*data\.vmdk/,
    });
  },
);

/** A row of the table: what stands in front of the type. */
interface Row {
  readonly name: string;
  readonly boot: boolean;
  readonly start: number;
  readonly sectors: number;
  readonly offset: number;
  readonly type: string;
}

async function rowsOf(t: Test, path: string): Promise<Row[]> {
  const { code, stdout, stderr } = await vboximgMount(dirname(path), ["--list", "--image", path]);
  t.equal(code, 0, stderr);
  const [heading, ...rows] = stdout.trimEnd().split("\n").slice(5);
  t.match(heading, /^Partition +Boot +Start +Sectors +Size +Offset +Type$/);
  return rows.map((row) => {
    const match = /^(\S+) +(\*)? +(\d+) +(\d+) +\d+\.\d[ KMGT]? +(\d+) {2}(.*)$/.exec(row);
    if (match === null) throw new Error(row);
    const [, name, boot, start, sectors, offset, type] = match;
    return {
      name: name!,
      boot: boot !== undefined,
      start: Number(start),
      sectors: Number(sectors),
      offset: Number(offset),
      type: type!,
    };
  });
}

interface Sfdisk {
  readonly partitiontable: {
    readonly partitions: readonly { start: number; size: number; type: string; bootable?: boolean }[];
  };
}

function image(t: Test): string {
  const path = sparseFile(310 * 2 ** 20);
  t.teardown(() => {
    rmSync(dirname(path), { recursive: true });
  });
  return path;
}

/** The reference's names (IPRT's), by sfdisk's. */
const MBR_TYPES: Readonly<Record<string, string>> = {
  "7": "NTFS",
  c: "FAT32",
  e: "FAT16",
  "1": "FAT12",
  "82": "Linux swap",
  "83": "Linux native",
  "8e": "Linux LVM",
  a5: "FreeBSD",
  fd: "Linux SoftRaid",
  ef: "EFI system partition",
};

t.test("an MBR has the partitions that sfdisk prints, without the extended ones", async (t) => {
  const path = image(t);
  judge(
    "sfdisk",
    ["--quiet", path],
    `label: dos
2048,4096,83
8192,400000,5
410000,10001,c,*
430000,4097,ef
16384,2000,7
33333,77,82
40000,100,8e
41000,100,fd
42000,100,a5
43000,100,1
44000,100,e
`,
  );
  const { partitiontable } = JSON.parse(judge("sfdisk", ["--json", path])) as Sfdisk;
  const expected = partitiontable.partitions
    .filter(({ type }) => type !== "5")
    .map(({ start, size, type, bootable = false }, index) => ({
      name: `disk.img(${index})`,
      boot: bootable,
      start,
      sectors: size,
      offset: start * 512,
      type: MBR_TYPES[type]!,
    }));
  t.equal(expected.length, 10);
  t.same(await rowsOf(t, path), expected);
});

/** The reference's names, by sgdisk's codes. */
const GPT_TYPES: Readonly<Record<string, string>> = {
  ef00: "EFI system partition",
  "0c01": "Microsoft reserved partition",
  "0700": "Basic data partition",
  "2700": "Windows recovery partition",
  "4200": "Windows LDM data partition",
  "4201": "Windows LDM metadata partition",
  "8200": "Linux swap",
  "8300": "Linux native",
  "8e00": "Linux LVM",
  fd00: "Linux SoftRaid",
  af00: "Mac OS X HFS or HFS+",
  af0a: "Mac OS X APFS",
  "7501": "IBM GPFS",
};

t.test(
  "a GPT has the partitions that sfdisk prints, in the order of the table, and none is bootable",
  async (t) => {
    const path = image(t);
    const codes = Object.keys(GPT_TYPES);
    // Backwards on the disk, with gaps in the table.
    const places = codes.map((code, index) => {
      const number = 2 + index * 3;
      const start = 2048 * (codes.length - index) + index;
      return { code, number, start, size: 100 + index };
    });
    const made = places.flatMap(({ code, number, start, size }) => [
      `--new=${number}:${start}:${start + size - 1}`,
      `--typecode=${number}:${code}`,
    ]);
    judge("sgdisk", ["--set-alignment=1", ...made, "--attributes=2:set:2", path]);
    const { partitiontable } = JSON.parse(judge("sfdisk", ["--json", path])) as Sfdisk;
    const expected = partitiontable.partitions.map(({ start, size }, index) => ({
      name: `disk.img(${index})`,
      boot: false,
      start,
      sectors: size,
      offset: start * 512,
      type: GPT_TYPES[codes[index]!]!,
    }));
    t.equal(expected.length, codes.length);
    t.same(await rowsOf(t, path), expected);
  },
);

t.test("a disk without a table is one volume", async (t) => {
  const path = image(t);
  judge("mkfs.ext4", ["-q", "-F", path]);
  t.same(await rowsOf(t, path), [
    { name: "disk.img(0)", boot: false, start: 0, sectors: 634880, offset: 0, type: "Unknown" },
  ]);
});

t.test("headings are bold and red on a terminal, and only there", async (t) => {
  const home = t.testdir({});
  const { stdout } = await vboximgMount(home, ["-l", "-i", NEWEST]);
  t.notMatch(stdout, "\x1b");
  const command = `${process.execPath} dist/cli/vboximg-mount/main.js -l -i '${NEWEST}'`;
  const shown = await output("script", "--quiet", "--return", "--command", command, "/dev/null");
  t.match(shown, "\x1b[1m\x1b[31mPartition ");
  t.match(shown, "Type\x1b[m\r\n");
});

import t from "tap";
import { CorruptError, UnsupportedError, type DiskError } from "../../src/errors.js";
import { memorySource } from "../../src/extent/runs.js";
import type { FileSystem } from "../../src/filesystem/filesystem.js";
import { guestRootOf } from "../../src/tree/guest-root.js";
import type { Part } from "../../src/tree/part.js";
import { plainTree } from "../support/plain-tree.js";

const damage = new CorruptError({ file: "a.img vol1", offset: 8, thing: "a block", found: "lost" });
const system = plainTree({ etc: {}, usr: {} });
const windows = plainTree({ Windows: {}, Users: {} });
const boot = plainTree({ grub: {} }, "ext2", "boot");
const data = plainTree({ photos: {} });

/** A file system whose root directory cannot be read. */
const brokenRoot = (lastMounted?: string): FileSystem => ({
  ...plainTree({}),
  facts: { type: "ext4", warnings: [], details: {}, ...(lastMounted !== undefined && { lastMounted }) },
  lookup: async () => Promise.reject(damage),
});

const MIB = 2 ** 20;

interface Plan extends Partial<Omit<Part, "volume">> {
  readonly size: number;
  readonly type?: string;
  readonly start?: Buffer;
}

function partsOf(...plans: readonly Plan[]): Part[] {
  return plans.map(({ size, type = "Linux native", start = Buffer.alloc(4096), ...what }, index) => ({
    volume: {
      ...{ index, number: index + 1, offset: 0, tableSize: size, type: "", typeName: type, bootable: false },
      source: memorySource(start, `a.img vol${index}`),
    },
    ...what,
  }));
}

/** The index of the part that is chosen, or the error. */
async function rootOf(...plans: readonly Plan[]): Promise<number | DiskError> {
  return guestRootOf("a.img", partsOf(...plans)).then(
    ({ volume }) => volume.index,
    (error: unknown) => error as DiskError,
  );
}

/** The part that follows `plan`, or stands before it. */
async function bothWays(plan: Plan, other: Plan): Promise<(number | DiskError)[]> {
  const swapped = await rootOf(other, plan);
  return [await rootOf(plan, other), typeof swapped === "number" ? 1 - swapped : swapped];
}

t.test("a damaged neighbour does not hide the system, whichever comes first and however large", async (t) => {
  const sound: Plan = { size: MIB, fileSystem: system };
  for (const size of [1, MIB, 100 * MIB]) {
    t.same(await bothWays(sound, { size, fileSystem: brokenRoot() }), [0, 0]);
    t.same(await bothWays(sound, { size, fileSystem: brokenRoot("/") }), [0, 0]);
    t.same(await bothWays(sound, { size, problem: damage }), [0, 0]);
    t.same(await bothWays(sound, { size, contents: "LVM2" }), [0, 0]);
    t.same(await bothWays({ size: MIB, fileSystem: windows }, { size, problem: damage }), [0, 0]);
  }
  t.same(await bothWays(sound, { size: MIB, fileSystem: windows }), [0, 0]);
});

t.test("the only file system is the root, even where its root directory is damaged", async (t) => {
  t.equal(await rootOf({ size: MIB, fileSystem: brokenRoot() }), 0);
  t.equal(await rootOf({ size: MIB, fileSystem: brokenRoot("/home") }), 0);
  t.same(
    await bothWays({ size: MIB, fileSystem: brokenRoot() }, { size: 9 * MIB, contents: "swap" }),
    [0, 0],
  );
  t.same(await bothWays({ size: MIB, fileSystem: data }, { size: MIB, problem: damage }), [0, 0]);
  t.same(await bothWays({ size: MIB, fileSystem: data }, { size: 9 * MIB }), [0, 0], "an unformatted one");
});

t.test("where the one that should be the root cannot be read, that is the answer", async (t) => {
  const small: Plan = { size: MIB, fileSystem: boot };
  const refused = async (plan: Plan, code: string, message: RegExp): Promise<void> => {
    for (const error of await bothWays(small, plan)) t.match(error, { code, message });
  };
  await refused(
    { size: 9 * MIB, problem: damage },
    "CORRUPT",
    /should be on vol\d \(Linux native\).* unlike fs\d \(ext2 "boot"\): a\.img vol1, byte 0x8/,
  );
  for (const contents of ["LVM2", "LUKS", "XFS", "btrfs"])
    await refused({ size: 9 * MIB, contents }, "UNSUPPORTED", new RegExp(`${contents} is not read`));
  await refused(
    { size: 9 * MIB, start: Buffer.alloc(4096, 1) },
    "UNSUPPORTED",
    /no file system is recognized/,
  );
  await refused({ size: 1, type: "Linux root (x86-64)", problem: damage }, "CORRUPT", /should be on/);
  t.same(await bothWays(small, { size: 9 * MIB, fileSystem: brokenRoot() }), [1, 1]);
  t.same(await bothWays(small, { size: 1, fileSystem: brokenRoot("/") }), [1, 1]);
  t.match(
    await rootOf({ size: 9, fileSystem: data, type: "EFI system partition" }, { size: 1, problem: damage }),
    {
      code: "CORRUPT",
    },
  );
});

t.test("what cannot be the root is not taken for it, however large", async (t) => {
  const small: Plan = { size: MIB, fileSystem: data };
  for (const type of ["EFI system partition", "Linux swap", "Linux /home", "Microsoft reserved partition"])
    t.same(await bothWays(small, { size: 9 * MIB, type, problem: damage }), [0, 0], type);
  t.same(await bothWays(small, { size: 9 * MIB, fileSystem: brokenRoot("/home") }), [0, 0]);
});

t.test("a disk without a file system that is read says which it has", async (t) => {
  t.match(await rootOf({ size: MIB, contents: "LUKS" }), {
    code: "UNSUPPORTED",
    message: /vol0.*LUKS is not read/,
  });
  t.match(await rootOf({ size: MIB, problem: new UnsupportedError("odd features") }), {
    code: "UNSUPPORTED",
  });
  t.match(await rootOf(), { code: "MISSING", message: /no file system that vdisk reads/ });
});

t.test("several systems, or none among several, are not chosen between", async (t) => {
  const sound: Plan = { size: MIB, fileSystem: system };
  t.match(await rootOf(sound, sound), { code: "MISSING", message: /fs0 \(plain\), fs1 \(plain\)/ });
  t.match(await rootOf({ size: 1, fileSystem: data }, { size: 2, fileSystem: data }), { code: "MISSING" });
});

import t from "tap";
import { HostError } from "../../src/errors.js";
import type { BlockSource } from "../../src/extent/extent.js";
import { memorySource } from "../../src/extent/runs.js";
import { openPart, problemOf, warningsOf } from "../../src/tree/part.js";
import type { Volume } from "../../src/volume/volume.js";

const volumeOf = (source: BlockSource, tableSize = source.size): Volume => ({
  ...{ index: 3, number: 1, offset: 0, type: "0x83", typeName: "Linux native", bootable: false },
  source,
  tableSize,
});

t.test(
  "a bug in opening one part affects only that part, and is reported as a bug, not as damage",
  async (t) => {
    const failing = (error: Error): BlockSource => ({
      name: "a.img vol3",
      size: 2 ** 20,
      map: () => Promise.reject(error),
    });
    const broken = await openPart(volumeOf(failing(new RangeError("index out of range"))), {});
    t.match(broken.bug, { name: "RangeError" });
    t.equal(broken.problem, undefined);
    t.match(warningsOf(broken), [
      /^fs3 is not shown: this is a bug in vdisk, please report it: index out of range/,
    ]);
    t.equal(problemOf(broken)?.error, broken.bug);
    const damaged = await openPart(volumeOf(failing(new HostError("a disk failed", "EIO"))), {});
    t.match(damaged.problem, { code: "HOST" });
    t.same(warningsOf(damaged), ["fs3 is not shown: a disk failed"]);
  },
);

t.test("what is not read is named by its signature", async (t) => {
  for (const [name, offset, signature] of [
    ["XFS", 0, "XFSB"],
    ["LUKS", 0, "LUKS\xba\xbe"],
    ["LVM2", 512, "LABELONE"],
    ["btrfs", 0x10040, "_BHRfS_M"],
    ["Linux RAID", 4096, "\xfc\x4e\x2b\xa9"],
    ["BitLocker", 3, "-FVE-FS-"],
    ["swap", 4086, "SWAPSPACE2"],
  ] as const) {
    const bytes = Buffer.alloc(2 ** 20);
    bytes.write(signature, offset, "latin1");
    t.equal((await openPart(volumeOf(memorySource(bytes, "v")), {})).contents, name);
  }
  t.equal((await openPart(volumeOf(memorySource(Buffer.alloc(2 ** 20), "v")), {})).contents, undefined);
});

t.test("a partition that the disk is cut short before is damaged, not merely empty", async (t) => {
  const { problem } = await openPart(volumeOf(memorySource(Buffer.alloc(0), "v"), 4096), {});
  t.match(problem, { code: "CORRUPT", message: /is 0 bytes, but must be 4096; the disk is cut short/ });
});

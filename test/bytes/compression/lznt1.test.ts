import { mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { unpackLznt1 } from "../../../src/bytes/compression/lznt1.js";
import { output } from "../../support/command.js";
import { place } from "../../support/place.js";
import { checkCuts, checkMutants, kindsOfData, tryUnpack } from "./data.js";
import { packedUnits, type Unit } from "./ntfs-units.js";

/** The worked example of [MS-XCA] 3.3. */
const EXAMPLE = Buffer.from(
  "38b08846232000204720410010a24701a045204400084501507900c04520052413" +
    "8805b4024a44ef0358028c091601484500be009e000401189000",
  "hex",
);
const EXAMPLE_TEXT = Buffer.from(
  "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D " +
    "E E F# D E F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0",
);

t.test("the specification's example is its text", async (t) => {
  t.same(unpackLznt1(EXAMPLE, EXAMPLE_TEXT.length), EXAMPLE_TEXT);
  t.same(unpackLznt1(EXAMPLE, 10), EXAMPLE_TEXT.subarray(0, 10), "as much as is asked for");
  t.same(unpackLznt1(EXAMPLE, 0), Buffer.alloc(0));
});

t.test("what a short chunk or the end's mark leaves is zero; an end without a mark is damage", async (t) => {
  const chunks = Buffer.concat([EXAMPLE, EXAMPLE]);
  const expected = Buffer.alloc(8192);
  EXAMPLE_TEXT.copy(expected);
  EXAMPLE_TEXT.copy(expected, 4096);
  t.same(unpackLznt1(chunks, 8192), expected);
  t.throws(() => unpackLznt1(chunks, 8193, { file: "n.img", offset: 512 }), {
    code: "CORRUPT",
    message: "n.img, byte 0x200: LZNT1 data (packed byte 118) is 8192 bytes, but must be 8193",
  });
  t.same(
    unpackLznt1(Buffer.concat([chunks, Buffer.from("0000ffff", "hex")]), 65536).subarray(0, 8192),
    expected,
  );
  t.same(unpackLznt1(Buffer.from([0, 0]), 5000), Buffer.alloc(5000));
});

t.test("a chunk may be stored as it is", async (t) => {
  const bytes = Buffer.alloc(4096, "stored");
  t.same(unpackLznt1(Buffer.concat([Buffer.from("ff3f", "hex"), bytes]), 4096), bytes);
  t.throws(() => unpackLznt1(Buffer.concat([Buffer.from("ff3f", "hex"), bytes.subarray(1)]), 4096), {
    code: "CORRUPT",
  });
});

t.test("every kind of damage is told", async (t) => {
  const damage: [string, string, RegExp][] = [
    ["05b0000000", "a chunk past the end", /end \(packed byte 0\) is 8, but must be at most 5/],
    ["00c0004100", "another signature", /signature \(packed byte 0\) is 4, but must be 3/],
    ["02b00241100000", "a match without its second byte", /match \(packed byte 4\) is 1 byte/],
    [
      "03b0024100100000",
      "a match from before the chunk",
      /distance \(packed byte 4\) is 2, but must be at most 1/,
    ],
    ["03b00241ff0f0000", "a match past the chunk", /at most 4096 bytes once unpacked/],
  ];
  for (const [hex, what, message] of damage) {
    t.throws(() => unpackLznt1(Buffer.from(hex, "hex"), 4096), { code: "CORRUPT", message }, what);
  }
});

t.test("what ntfs-3g packed is what it was given", async (t) => {
  const files = kindsOfData();
  let count = 0;
  let sample: [Unit, Buffer] | undefined;
  for (const [name, units] of await packWithNtfs3g(t, files)) {
    const bytes = files.get(name)!;
    for (const unit of units) {
      const original = bytes.subarray(unit.offset, unit.offset + unit.size);
      for (const size of [unit.size, 1, 4097, unit.size - 1]) {
        if (size > unit.size || size < 0) continue;
        if (!unpackLznt1(unit.packed, size).equals(original.subarray(0, size)))
          t.fail(`${name}, ${size} bytes`);
      }
      if (name === "code-12345") sample ??= [unit, original];
      count++;
    }
  }
  t.ok(count > 60, `${count} units are the same`);
  const [unit, original] = sample!;
  checkCuts(t, unpackLznt1, unit.packed, original);
  checkMutants(t, unpackLznt1, unit.packed, unit.size, 5000);
});

t.test("cut or changed, the example gives its text, or a complaint", async (t) => {
  checkCuts(t, unpackLznt1, EXAMPLE, EXAMPLE_TEXT);
  checkMutants(t, unpackLznt1, EXAMPLE, EXAMPLE_TEXT.length, 20_000);
  t.equal(tryUnpack(unpackLznt1, EXAMPLE.subarray(0, 58), 142), undefined);
});

/** The packed units of `files`, written by ntfs-3g to a new volume. */
async function packWithNtfs3g(t: Test, files: Map<string, Buffer>): Promise<Map<string, Unit[]>> {
  const folder = place(t);
  const image = join(folder, "ntfs.img");
  const mountpoint = place(t);
  writeFileSync(image, "");
  truncateSync(image, 32 * 2 ** 20);
  await output("mkntfs", "--quick", "--force", "--quiet", "--cluster-size", "4096", image);
  await output("ntfs-3g", "-o", "compression", image, mountpoint);
  const packed = join(mountpoint, "packed");
  mkdirSync(packed);
  await output("setfattr", "-h", "-n", "system.ntfs_attrib_be", "-v", "0x00000800", packed);
  for (const [name, bytes] of files) writeFileSync(join(packed, name), bytes);
  const records = readdirSync(packed).map((name) => [name, statSync(join(packed, name)).ino] as const);
  await output("umount", mountpoint);
  return new Map(records.map(([name, record]) => [name, packedUnits(image, record)]));
}

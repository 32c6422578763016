import t from "tap";
import { unpackXpress } from "../../../src/bytes/compression/xpress.js";
import { checkCuts, checkMutants, kindsOfData } from "./data.js";
import { packWithWimlib } from "./wim-chunks.js";

/** The code of the second example of [MS-XCA] 3.2, the data of which is "abc", a hundred times. */
const LENGTHS = Buffer.alloc(256);
LENGTHS.set([0x30, 0x23], 0x30);
LENGTHS[0x80] = 0x02;
LENGTHS[0x8f] = 0x20;
const EXAMPLE = Buffer.concat([LENGTHS, Buffer.from("a8dc0000ff2601", "hex")]);
const EXAMPLE_TEXT = Buffer.from("abc".repeat(100));

t.test("the specification's example is its text", async (t) => {
  t.same(unpackXpress(EXAMPLE, EXAMPLE_TEXT.length), EXAMPLE_TEXT);
  checkCuts(t, unpackXpress, EXAMPLE, EXAMPLE_TEXT);
  checkMutants(t, unpackXpress, EXAMPLE, EXAMPLE_TEXT.length, 20_000);
});

for (const chunkSize of [4096, 8192, 16_384, 32_768, 65_536]) {
  t.test(`what wimlib packed in chunks of ${chunkSize} bytes is what it was given`, async (t) => {
    const files = kindsOfData();
    let count = 0;
    for (const [name, chunks] of await packWithWimlib(t, files, "XPRESS", chunkSize)) {
      for (const { packed, size, offset } of chunks) {
        const original = files.get(name)!.subarray(offset, offset + size);
        if (!unpackXpress(packed, size).equals(original)) t.fail(`${name}, byte ${offset}`);
        if (name === "code" && offset === 0) {
          if (chunkSize === 4096) checkCuts(t, unpackXpress, packed, original);
          checkMutants(t, unpackXpress, packed, size, 2000);
        }
        count++;
      }
    }
    t.ok(count > 25, `${count} chunks are the same`);
  });
}

t.test("every kind of damage is told", async (t) => {
  const damage: [Buffer, number, RegExp][] = [
    [EXAMPLE.subarray(0, 255), 300, /^a\.img, byte 0x10: XPRESS chunk \(packed byte 0\) is 255 bytes, but/],
    [Buffer.alloc(300), 300, /code .* is empty, but must be complete/],
    [Buffer.alloc(300, 1), 300, /code .* is wrong, but must be complete/],
    [EXAMPLE.subarray(0, 262), 300, /end .* is before its last symbol/],
    [EXAMPLE, 299, /match's length .* is 297, but must be at most 296/],
    [changed(257, 0xd4), 300, /match's distance .* is \d, but must be at most \d/],
    [changed(261, 0x0e, 0x00), 300, /match's length .* is 14, but must be at least 15/],
    [Buffer.alloc(200_000), 300, /chunk .* is 200000 bytes, but must be at most 131072/],
  ];
  for (const [packed, size, message] of damage) {
    const place = { file: "a.img", offset: 16 };
    t.throws(() => unpackXpress(packed, size, place), { code: "CORRUPT", message }, String(message));
  }
});

function changed(at: number, ...bytes: number[]): Buffer {
  const copy = Buffer.from(EXAMPLE);
  copy.set(bytes, at);
  return copy;
}

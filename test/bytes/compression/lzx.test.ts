import t from "tap";
import { unpackLzx } from "../../../src/bytes/compression/lzx.js";
import { checkCuts, checkMutants, kindsOfData } from "./data.js";
import { LzxBuilder } from "./lzx-builder.js";
import { packWithWimlib, wimlibUnpacks } from "./wim-chunks.js";

t.test("what wimlib packed is what it was given, calls and all", async (t) => {
  const files = kindsOfData();
  let count = 0;
  const kinds = new Set<number>();
  for (const [name, chunks] of await packWithWimlib(t, files, "LZX", 32_768)) {
    for (const { packed, size, offset } of chunks) {
      const original = files.get(name)!.subarray(offset, offset + size);
      if (!unpackLzx(packed, size).equals(original)) t.fail(`${name}, byte ${offset}`);
      kinds.add(packed[1]! >>> 5);
      if (name === "code" && offset === 0) checkMutants(t, unpackLzx, packed, size, 5000);
      if (name === "text-4096") {
        checkCuts(t, unpackLzx, packed, original);
        checkMutants(t, unpackLzx, packed, size, 5000);
      }
      count++;
    }
  }
  t.ok(count > 70, `${count} chunks are the same`);
  t.same(Array.from(kinds).sort(), [1, 2], "verbatim and aligned blocks");
});

const A = 0x61;
const B = 0x62;
/** A main symbol: a match of `length` 2 to 8 in `slot`. */
const match = (slot: number, length: number): number => 256 + slot * 8 + length - 2;

/** Stored, verbatim, stored and aligned blocks; the last distances go through all of them. */
const FIRST = [A, match(0, 2), match(1, 3), match(2, 8)];
const SECOND = [B, B + 1, B + 2, match(0, 8), match(2, 7), match(4, 4), match(8, 5), match(9, 5)];
/** As much as makes it worth packing: wimlib reads nothing else. */
const NINES = 120;
const BUILDER = new LzxBuilder()
  .stored(Buffer.from("0123456789abcde"), [4, 15, 9])
  .block(1, 22, FIRST)
  .bits(2, 2) // three bytes from 15 before
  .bits(3, 2) // eight from 9
  .bits(1, 2) // two from 9
  .bits(3, 2) // eight from 15
  .bits(0, 2)
  .stored(Buffer.from("\xe8\x00\x01\x00\x00-", "latin1"), [1, 2, 3])
  .block(2, 17 + 8 * NINES, SECOND, FIRST)
  .bits(0, 3)
  .bits(5, 3) // four from 3
  .bits(1, 1)
  .bits(6, 3) // five from 19
  .bits(5, 3)
  .bits(4, 3); // seven from 1
for (let count = 0; count < NINES; count++) BUILDER.bits(3, 3);
const MIXED = BUILDER.build();
const MIXED_TEXT = Buffer.from(
  "0123456789abcde" +
    "0129abcde0129de0129aba" +
    "\xe8\xdb\x00\x00\x00-" +
    "b\x00-b\x00e01299999999" +
    "9".repeat(8 * NINES),
  "latin1",
);

t.test("blocks of all kinds follow each other, and hand on codes and last distances", async (t) => {
  t.equal(unpackLzx(MIXED, MIXED_TEXT.length).toString("latin1"), MIXED_TEXT.toString("latin1"));
  t.ok(await wimlibUnpacks(t, MIXED, MIXED_TEXT), "wimlib reads the same");
  const other = Buffer.from(MIXED_TEXT);
  other[1000]!++;
  t.notOk(await wimlibUnpacks(t, MIXED, other), "and would say if it did not");
  checkCuts(t, unpackLzx, MIXED, MIXED_TEXT);
  checkMutants(t, unpackLzx, MIXED, MIXED_TEXT.length, 20_000);
});

t.test("a stored block begins at the next word, and never in the one of its size's last bit", async (t) => {
  for (let before = 1; before <= 16; before++) {
    const builder = new LzxBuilder().block(1, before, [A, B]).bits(0, before);
    builder.stored(Buffer.from("stored!"), [1, 1, 1]).block(1, 2000, [A, B], [A, B]);
    for (let count = 0; count < 2000; count++) builder.bits(1, 1);
    const original = Buffer.from(`${"a".repeat(before)}stored!${"b".repeat(2000)}`);
    const packed = builder.build();
    t.same(unpackLzx(packed, original.length), original);
    t.ok(await wimlibUnpacks(t, packed, original), `wimlib reads the same, ${before} bits further on`);
  }
});

t.test("a chunk may have a block of the default size, which needs no other", async (t) => {
  const builder = new LzxBuilder().block(1, 0, [A, B]);
  for (let count = 0; count < 32_768; count++) builder.bits(1, 1);
  const bytes = builder.build();
  // The same with a 1 for the size, and the 16 bits gone.
  const bits = Array.from(bytes.swap16(), (byte) => byte.toString(2).padStart(8, "0")).join("");
  const other = new LzxBuilder();
  for (const bit of `${bits.slice(0, 3)}1${bits.slice(20)}`) other.bits(Number(bit), 1);
  t.same(unpackLzx(other.build(), 32_768), Buffer.alloc(32_768, "b"));
});

t.test("every kind of damage is told", async (t) => {
  const start = (): LzxBuilder => new LzxBuilder().stored(Buffer.from("0123456789"), [0, 11, 0xffffffff]);
  const used = [A, match(0, 2), match(1, 2), match(2, 2)];
  const damage: [Buffer, RegExp][] = [
    [new LzxBuilder().bits(0, 3).build(), /block's kind .* is 0, but must be 1, 2 or 3/],
    [new LzxBuilder().bits(7, 3).bits(1, 1).build(), /block's kind .* is 7/],
    [new LzxBuilder().bits(1, 3).bits(0, 17).build(), /block's size .* is 0, but must be from 1 to 20/],
    [start().stored(Buffer.alloc(11), [1, 1, 1]).build(), /block's size .* is 11, but must be from 1 to 10/],
    [start().block(1, 10, used).bits(1, 2).build(), /distance .* is 0, but must be from 1 to 10/],
    [start().block(1, 10, used).bits(2, 2).build(), /distance .* is 11, but must be from 1 to 10/],
    [start().block(1, 10, used).bits(3, 2).build(), /distance .* is -1, but must be from 1 to 10/],
    [
      start()
        .block(1, 1, [A, match(4, 2)])
        .bits(1, 1)
        .build(),
      /length .* is 2, but must be at most 1/,
    ],
    [
      start()
        .block(1, 10, [A, match(0, 9)])
        .bits(1, 1)
        .build(),
      /length .* is of an empty code/,
    ],
    [
      start()
        .block(1, 10, [A, B, A + 5])
        .build(),
      /main code .* is wrong, but must be complete/,
    ],
    [start().block(1, 10, used).build(), /end .* is before its last symbol/],
    [start().build(), /block's kind .* is 0/],
    [start().build().subarray(0, 25), /end .* is before its last symbol/],
    [Buffer.alloc(200_000), /chunk .* is 200000 bytes, but must be at most 131072/],
  ];
  for (const [packed, message] of damage) {
    t.throws(() => unpackLzx(packed, 20), { code: "CORRUPT", message }, String(message));
  }
});

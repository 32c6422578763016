/** DEFLATE, as qemu-img and zip pack it. */
import { deflateRawSync } from "node:zlib";
import t from "tap";
import { unpackDeflate } from "../../../src/bytes/compression/deflate.js";
import { CorruptError } from "../../../src/errors.js";
import { read } from "../../../src/extent/read.js";
import { openFile } from "../../../src/storage/file.js";
import { random } from "../../image/random.js";
import { compressDisk, compressedSource } from "../../support/compressed-disk.js";
import { place } from "../../support/place.js";

const seed = Date.now() % 2 ** 32;
t.comment(`seed ${seed}`);
const numbers = random(seed);

t.test("a disk that qemu-img has compressed reads as it was, in whole units and in parts", async (t) => {
  const { raw, path } = await compressDisk(place(t), numbers, 150);
  const storage = await openFile(path);
  t.teardown(() => storage.close());
  const source = compressedSource(storage);
  const kinds = new Set((await source.map(0, source.size)).map(({ kind }) => kind));
  t.ok(kinds.has("packed"));
  t.ok((await read(source, 0, raw.length)).equals(raw));
  for (let round = 0; round < 1000; round++) {
    const offset = numbers.below(raw.length);
    const length = numbers.below(Math.min(raw.length - offset, 300_000)) + 1;
    const bytes = await read(source, offset, length);
    if (!bytes.equals(raw.subarray(offset, offset + length))) t.fail(`${length} bytes from ${offset}`);
  }
});

t.test("exactly the size that is asked for, and no more memory than that, whatever is packed", async (t) => {
  const packed = deflateRawSync(Buffer.alloc(2 ** 28)); // 256 MiB in 256 KiB
  const before = process.memoryUsage().arrayBuffers;
  await t.rejects(unpackDeflate(packed, 65_536, { file: "a.img", offset: 512 }), {
    code: "CORRUPT",
    message:
      "a.img, byte 0x200: DEFLATE data (packed byte 0) is more than 65536 bytes, but must be 65536 when decompressed",
  });
  t.ok(process.memoryUsage().arrayBuffers - before < 2 ** 22);
  const short = deflateRawSync(Buffer.alloc(100, 1));
  await t.rejects(unpackDeflate(short, 101), CorruptError);
  t.same(await unpackDeflate(short, 100), Buffer.alloc(100, 1));
  t.same(
    await unpackDeflate(Buffer.concat([short, Buffer.alloc(400, 7)]), 100),
    Buffer.alloc(100, 1),
    "padded",
  );
});

t.test("cut or changed anywhere: the right number of bytes, or an error that says where", async (t) => {
  const original = Buffer.from("It was the best of times, it was the worst of times. ".repeat(40));
  const packed = deflateRawSync(original);
  for (let length = 0; length < packed.length; length++)
    await t.rejects(unpackDeflate(packed.subarray(0, length), original.length), CorruptError);
  for (let round = 0; round < 2000; round++) {
    const mutant = Buffer.from(packed);
    for (let changes = numbers.below(3) + 1; changes > 0; changes--)
      mutant[numbers.below(mutant.length)] = numbers.below(256);
    try {
      const bytes = await unpackDeflate(mutant, original.length);
      if (bytes.length !== original.length) t.fail("a wrong length");
    } catch (error) {
      if (!(error instanceof CorruptError)) throw error;
    }
  }
});

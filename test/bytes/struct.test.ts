import t from "tap";
import { CorruptError } from "../../src/errors.js";
import { describe, struct, u16be, u32be, u32le, u64be, u64le, u8 } from "../../src/bytes/struct.js";

const Sample = struct("sample", 16, { first: u8(0), second: u32le(4), third: u64le(8) });

t.test("a view reads its fields at their offsets from where it begins", (t) => {
  const bytes = Buffer.from("ff0a00000001020304ffffffffffff1f00", "hex");
  const view = Sample.view(bytes, 1);
  t.equal(view.first, 0x0a);
  t.equal(view.second, 0x04030201);
  t.equal(view.third, 2 ** 53 - 1);
  t.same(describe(Sample, view), { first: 10, second: 0x04030201, third: Number.MAX_SAFE_INTEGER });
  t.end();
});

t.test("numbers may have their most significant byte first", (t) => {
  const Big = struct("big", 14, { first: u16be(0), second: u32be(2), third: u64be(6) });
  const view = Big.view(Buffer.from("ff010203fe05060708ff001fffffffffffff".slice(0, 28), "hex"));
  t.same(describe(Big, view), { first: 0xff01, second: 0x0203fe05, third: Number(0x060708ff001fffffn) });
  t.equal(Big.view(Buffer.alloc(14, 0xff)).second, 2 ** 32 - 1);
  t.ok(Big.view(Buffer.alloc(14, 0xff)).third >= 2 ** 53);
  t.end();
});

t.test("a truncated structure is a CorruptError that names file and byte", (t) => {
  t.throws(() => Sample.view(Buffer.alloc(15), 0, "a.img", 0x200), {
    name: "CorruptError",
    message: "a.img, byte 0x200: the space for a sample is 15 bytes, but must be at least 16 bytes",
  });
  t.throws(() => Sample.view(Buffer.alloc(20), 5), CorruptError);
  t.end();
});

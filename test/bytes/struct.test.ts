import t from "tap";
import { CorruptError } from "../../src/errors.js";
import { struct, u32le, u64le, u8, describe } from "../../src/bytes/struct.js";

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

t.test("a truncated structure is a CorruptError that names file and byte", (t) => {
  t.throws(() => Sample.view(Buffer.alloc(15), 0, "a.img", 0x200), {
    name: "CorruptError",
    message: "a.img, byte 0x200: the space for a sample is 15 bytes, but must be at least 16 bytes",
  });
  t.throws(() => Sample.view(Buffer.alloc(20), 5), CorruptError);
  t.end();
});

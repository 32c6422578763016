import t from "tap";
import { CorruptError, UnsupportedError } from "../../../src/errors.js";
import { HEADER_SIZE, isVdi, readHeader } from "../../../src/image/vdi/header.js";
import { buildVdi, type VdiPlan } from "./builder.js";

const MIB = 2 ** 20;
const uuid = "01234567-89ab-cdef-0123-456789abcdef";

function header(plan: Partial<VdiPlan>, change?: (bytes: Buffer) => void) {
  const bytes = buildVdi({ diskSize: 3 * MIB, ...plan });
  change?.(bytes);
  return readHeader(bytes.subarray(0, HEADER_SIZE), "a.vdi", bytes.length);
}

t.test("all versions give the same values", (t) => {
  for (const version of ["0", "1.0", "1.1", "1.1+"] as const) {
    const { variant, diskSize, blockSize, blockCount, warnings, ...rest } = header({
      version,
      type: 4,
      blockSize: MIB / 2,
      uuid,
      parentUuid: uuid,
      parentModification: uuid,
    });
    t.same([variant, diskSize, blockSize, blockCount], ["differencing", 3 * MIB, MIB / 2, 6], version);
    t.same([rest.uuid, rest.parentUuid, warnings], [uuid, uuid, []]);
    t.equal(rest.parentModification === uuid, version !== "0");
    t.equal("cylinderCount" in rest.details, version === "1.1+");
  }
  t.end();
});

t.test("a complaint names file, byte, thing, found and expected", (t) => {
  t.throws(() => header({}, (bytes) => bytes.writeUInt32LE(4660, 0x178)), {
    name: "CorruptError",
    message: "a.vdi, byte 0x178: VDI block size is 4660, but must be a power of two from 131072 to 134217728",
  });
  t.throws(() => header({}, (bytes) => bytes.writeUInt32LE(0x20000, 0x44)), {
    name: "UnsupportedError",
    message: "a.vdi, byte 0x44: VDI version is 0x20000, but must be 0x2, 0x10000 or 0x10001",
  });
  t.end();
});

t.test("block sizes are those that VirtualBox opens", (t) => {
  for (let size = 2 ** 17; size <= 2 ** 27; size *= 2) t.equal(header({ blockSize: size }).blockSize, size);
  for (const size of [2 ** 16, 3 * 2 ** 17, 2 ** 28]) {
    t.throws(() => header({ blockSize: size }), CorruptError, String(size));
  }
  t.end();
});

t.test("a disk of odd size ends with its last whole sector", (t) => {
  t.equal(header({ diskSize: 1000 }).diskSize, 512);
  t.throws(() => header({ diskSize: 511 }), CorruptError);
  t.end();
});

t.test("what is odd but harmless is a warning", (t) => {
  t.match(header({}, (bytes) => bytes.writeUInt32LE(9, 0x184)).warnings, [
    /9 blocks are stored according to the header/,
  ]);
  t.match(header({ parentUuid: uuid }).warnings, [/it is ignored/]);
  t.throws(() => header({ type: 4 }), { message: /parent UUID of this differencing VDI/ });
  t.end();
});

t.test("the signature alone decides what is a VDI", (t) => {
  t.notOk(isVdi(Buffer.alloc(0)));
  t.notOk(isVdi(Buffer.alloc(512)));
  t.ok(isVdi(buildVdi({ diskSize: 512 })));
  t.throws(() => readHeader(buildVdi({ diskSize: 512 }).subarray(0, 0x100), "a", 0x100), CorruptError);
  t.throws(() => header({}, (bytes) => bytes.writeUInt32LE(3, 0x44)), UnsupportedError);
  t.end();
});

import t from "tap";
import { crc16, crc32c } from "../../src/bytes/checksum.js";

const CHECK = Buffer.from("123456789");

t.test("CRC-32C gives the check value of the catalogue of parametrised CRC algorithms", (t) => {
  // CRC-32/ISCSI: init and xorout all ones, check 0xe3069283.
  t.equal((crc32c(0xffffffff, CHECK) ^ 0xffffffff) >>> 0, 0xe3069283);
  t.end();
});

t.test("CRC-16 gives the check values of the catalogue", (t) => {
  t.equal(crc16(0, CHECK), 0xbb3d, "CRC-16/ARC");
  t.equal(crc16(0xffff, CHECK), 0x4b37, "CRC-16/MODBUS");
  t.end();
});

t.test("a checksum can be carried on from part to part", (t) => {
  t.equal(crc32c(crc32c(0xffffffff, CHECK.subarray(0, 4)), CHECK.subarray(4)), crc32c(0xffffffff, CHECK));
  t.end();
});

import t from "tap";
import { crc16, crc32c, crc32cOfWord } from "../../src/bytes/checksum.js";

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

t.test("a checksum can be continued from part to part", (t) => {
  t.equal(crc32c(crc32c(0xffffffff, CHECK.subarray(0, 4)), CHECK.subarray(4)), crc32c(0xffffffff, CHECK));
  t.end();
});

t.test("the checksum of a word is that of its four little-endian bytes", (t) => {
  const bytes = Buffer.alloc(4);
  for (const value of [0, 1, 0x80000000, 0xdeadbeef, 0xffffffff]) {
    bytes.writeUInt32LE(value);
    for (const seed of [0, 0xffffffff, 0x12345678])
      t.equal(crc32cOfWord(seed, value), crc32c(seed, bytes), `${value} after ${seed}`);
  }
  t.end();
});

t.test("the checksum of eight bytes at a time equals that of single bytes, at any start", (t) => {
  const bytes = Buffer.from(Array.from({ length: 64 }, (_, index) => (index * 151) & 0xff));
  for (let from = 0; from < 20; from++) {
    let crc = 0xffffffff;
    for (let at = from; at < bytes.length - from; at++) crc = crc32c(crc, bytes, at, at + 1);
    t.equal(crc32c(0xffffffff, bytes, from, bytes.length - from), crc, `from ${from}`);
  }
  t.end();
});

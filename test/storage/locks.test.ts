import t from "tap";
import { fileKey, parseLocks } from "../../src/storage/locks.js";

t.test("locks are read as the kernel lists them; leases and those who wait are none", async (t) => {
  const text = [
    "1: POSIX  ADVISORY  WRITE 1234 08:01:777 0 EOF",
    "2: OFDLCK ADVISORY  READ -1 fe:00:2695847 100 101",
    "3: FLOCK  ADVISORY  WRITE 55 103:1f:1 0 EOF",
    "3: -> FLOCK  ADVISORY  WRITE 56 103:1f:1 0 EOF",
    "4: LEASE  ACTIVE    READ 9 08:01:777 0 EOF",
    "5: POSIX  MANDATORY READ 7 00:2a:99 5 5",
    "nonsense",
    "",
  ].join("\n");
  t.same(parseLocks(text), [
    { file: "8:1:777", isExclusive: true, pid: 1234, start: 0, end: Infinity },
    { file: "254:0:2695847", isExclusive: false, start: 100, end: 101 },
    { file: "259:31:1", isExclusive: true, pid: 55, start: 0, end: Infinity },
    { file: "0:42:99", isExclusive: false, pid: 7, start: 5, end: 5 },
  ]);
});

t.test("a device number is taken apart as Linux puts it together", async (t) => {
  t.equal(fileKey(65024, 5), "254:0:5");
  t.equal(fileKey(0x1_0000_0803 % 2 ** 32, 1), "8:3:1");
  t.equal(fileKey((0x103 << 8) | 0x1f | (0x12 << 20), 1), "259:4639:1");
});

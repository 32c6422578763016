import t from "tap";
import { parseName, printName, printSentence } from "../../src/bytes/text.js";

t.test("a name that is text is printed as it is", (t) => {
  for (const name of ["notes.txt", "Grüße 世界 🎉", "with space", "'quoted'"]) {
    t.equal(printName(Buffer.from(name)), name);
  }
  t.end();
});

t.test("bytes that are no text, control characters and backslashes are printed as \\xNN", (t) => {
  t.equal(printName(Buffer.from([0x61, 0xff, 0x62])), "a\\xffb");
  t.equal(printName(Buffer.from("a\nb\x1b[31m")), "a\\x0ab\\x1b[31m");
  t.equal(printName(Buffer.from("a\\xff")), "a\\x5cxff");
  t.equal(printName(Buffer.from("\u0085")), "\\xc2\\x85");
  t.equal(printName(Buffer.from([0xe4, 0xb8])), "\\xe4\\xb8");
  t.equal(printName(Buffer.from([0xed, 0xa0, 0x80])), "\\xed\\xa0\\x80", "a lone surrogate is not UTF-8");
  t.end();
});

t.test("every name of one to three bytes can be parsed from its printed form", (t) => {
  let wrong = 0;
  const check = (bytes: Buffer): void => {
    if (!parseName(printName(bytes)).equals(bytes)) wrong++;
  };
  for (let value = 0; value < 2 ** 16; value++) {
    check(Buffer.from([value >> 8, value & 255]));
    check(Buffer.from([0xe2, value >> 8, value & 255]));
    check(Buffer.from([0xf0, 0x9f, value >> 8, value & 255]));
  }
  for (let value = 0; value < 256; value++) check(Buffer.from([value]));
  t.equal(wrong, 0);
  t.end();
});

t.test(
  "a sentence is printed in one line without control characters; names in it that are already printed do not change",
  (t) => {
    t.equal(
      printSentence("a\nb\x1b[31m\u009b.vdi: café, \\xff"),
      "a\\x0ab\\x1b[31m\\xc2\\x9b.vdi: café, \\xff",
    );
    t.end();
  },
);

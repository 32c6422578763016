import t from "tap";
import { nameFromUtf16, utf16FromName } from "../../src/bytes/utf16.js";

const utf16 = (text: string): Buffer => Buffer.from(text, "utf16le");

t.test("text is UTF-8", async (t) => {
  for (const text of ["a", "Größe", "日本語", "𐍈😀", "...", "a.b", ".a", "ﷺ￿", ""]) {
    t.same(nameFromUtf16(utf16(text)), Buffer.from(text), text);
    t.same(utf16FromName(Buffer.from(text)), utf16(text), text);
  }
});

t.test("names with a meaning for the host become bytes that valid text never has", async (t) => {
  const forms: [string, string][] = [
    ["/", "c0af"],
    ["a/b", "61c0af62"],
    ["\0", "c080"],
    [".", "c0ae"],
    ["..", "c0aec0ae"],
    ["\ud800", "eda080"],
    ["\udc00\ud800", "edb080eda080"],
  ];
  for (const [text, hex] of forms) {
    t.equal(nameFromUtf16(utf16(text)).toString("hex"), hex);
    t.same(utf16FromName(Buffer.from(hex, "hex")), utf16(text));
  }
});

t.test("every unit, alone and between others, becomes bytes that are converted back to it", async (t) => {
  const seen = new Set<string>();
  for (let unit = 0; unit < 0x10000; unit++) {
    for (const text of [String.fromCharCode(unit), `a${String.fromCharCode(unit)}\udc01`]) {
      const name = nameFromUtf16(utf16(text));
      if (name.includes(0) || name.includes(0x2f)) t.fail(`unit ${unit} cannot stand in a host's name`);
      if (!utf16FromName(name)?.equals(utf16(text))) t.fail(`unit ${unit} does not come back`);
      seen.add(name.toString("latin1"));
    }
  }
  t.equal(seen.size, 2 * 0x10000);
});

t.test("bytes that no name becomes are not converted to a name", async (t) => {
  for (const hex of ["80", "c3", "c0af80", "c1bf", "e08080", "eda080edb080", "f4908080", "ff", "f88888"])
    t.equal(utf16FromName(Buffer.from(hex, "hex")), undefined, hex);
});

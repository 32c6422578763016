import t from "tap";
import { parseShownName, showName, showTarget } from "../../../src/fuse/fuse-native/names.js";

const latin1 = (name: string): Buffer => Buffer.from(name, "latin1");

t.test("valid UTF-8 is shown as it is, backslashes and newlines too; other bytes are escaped", (t) => {
  for (const name of ["plain", "日本", "new\nline", "back\\slash", "\\xyz"])
    t.equal(showName(Buffer.from(name)), name);
  t.equal(showName(latin1("caf\xe9")), "caf\\xe9");
  t.equal(showName(Buffer.from("caf\\xe9")), "caf\\x5cxe9", "what looks like an escape");
  t.equal(showTarget(latin1("../d\xe9/ok")), "../d\\xe9/ok");
  t.end();
});

t.test("every name can be parsed from its string, and no two have the same string", (t) => {
  const pieces = ["a", "\\", "x", "e9", "\xe9", "\xc3\xa9", "\n", "\\xe9", "\\x5c"].map(latin1);
  const shown = new Map<string, string>();
  for (let seed = 0; seed < 9 ** 4; seed++) {
    const name = Buffer.concat([1, 9, 81, 729].map((power) => pieces[Math.floor(seed / power) % 9]!));
    const text = showName(name);
    if (!parseShownName(text).equals(name)) t.fail(`${name.toString("hex")} is not found as ${text}`);
    const other = shown.get(text);
    if (other !== undefined && other !== name.toString("hex")) t.fail(`${text} is two names`);
    shown.set(text, name.toString("hex"));
  }
  t.ok(shown.size > 5000);
  t.end();
});

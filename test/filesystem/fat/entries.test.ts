/** Names, labels, attributes and times, each slot written by hand. */
import t from "tap";
import { UnsupportedError } from "../../../src/errors.js";
import { formatTimestamp } from "../../../src/bytes/time.js";
import type { FileSystem, FileSystemOptions } from "../../../src/filesystem/filesystem.js";
import { checksumOf } from "../../../src/filesystem/fat/names.js";
import { listAll } from "../ext/support.js";
import { entry, FatBuilder, longSlots, type EntryFields } from "./builder.js";
import { namesIn, openBytes } from "./support.js";

/** A FAT12 whose root directory has these slots. */
function withRoot(slots: readonly Buffer[], options?: FileSystemOptions): Promise<FileSystem> {
  const image = new FatBuilder({ width: 12, clusterCount: 100 });
  for (const slot of slots) image.root(slot);
  return openBytes(image.bytes, options);
}

const nameOf = async (slot: Buffer, options?: FileSystemOptions): Promise<Buffer> => {
  const fs = await withRoot([slot], options);
  return (await listAll(fs, fs.root))[0]!.name;
};

t.test("a long name counts only as a whole, in order, right before its own short name", async (t) => {
  const long = "a long name of three parts, no less";
  const [third, second, first] = longSlots(long, checksumOf(Buffer.from("ALONGN~1TXT")));
  const short = entry("ALONGN~1TXT");
  const deleted = Buffer.concat([Buffer.from([0xe5]), short.subarray(1)]);
  const label = entry("LABEL", { attributes: 0x08 });
  const cases: [expected: string, ...slots: Buffer[]][] = [
    [long, third!, second!, first!, short],
    ["ALONGN~1.TXT", second!, first!, short],
    ["ALONGN~1.TXT", third!, first!, short],
    ["ALONGN~1.TXT", third!, second!, short],
    ["ALONGN~1.TXT", second!, third!, first!, short],
    ["ALONGN~1.TXT", third!, second!, second!, first!, short],
    ["ALONGN~1.TXT", third!, second!, first!, deleted, short],
    ["ALONGN~1.TXT", third!, second!, first!, label, short],
    ["OTHER.TXT", third!, second!, first!, entry("OTHER   TXT")],
    [long, third!, third!, second!, first!, short],
    [long, second!, first!, third!, second!, first!, short],
  ];
  for (const [expected, ...slots] of cases) {
    const fs = await withRoot([...slots, entry("LAST")]);
    t.same(await namesIn(fs), [expected, "LAST"]);
  }
  const mixed = Buffer.from(first!);
  mixed[0x0d]! ^= 1;
  t.same(
    await namesIn(await withRoot([third!, second!, mixed, short])),
    ["ALONGN~1.TXT"],
    "another's checksum",
  );
});

t.test("long names of every length are read, and those that cannot be are not", async (t) => {
  for (const length of [1, 12, 13, 14, 25, 26, 254, 255]) {
    const long = "n".repeat(length - 1) + "é";
    const fs = await withRoot([entry("N~1", { long })]);
    t.same(await namesIn(fs), [long]);
    const [found] = await listAll(fs, fs.root);
    t.equal(await fs.lookup(fs.root, Buffer.from(long.toUpperCase())), found!.id);
    t.equal(await fs.lookup(fs.root, Buffer.from("n~1")), found!.id);
  }
  t.same(await namesIn(await withRoot([entry("N~1", { long: "n".repeat(256) })])), ["N~1"]);
  t.same(await namesIn(await withRoot([entry("N~1", { long: "\0hidden" })])), ["N~1"]);
});

t.test("names that a host would not take are shown as bytes that lead back to them", async (t) => {
  for (const long of ["a/b", "..", ".", "half \ud800 a pair", "😀 whole", "tab\there", 'x"*:<>?|y']) {
    const fs = await withRoot([entry("N~1", { long })]);
    const [found] = await listAll(fs, fs.root);
    t.notMatch(found!.name.toString("latin1"), /\/|^\.\.?$/);
    t.equal(await fs.lookup(fs.root, found!.name), found!.id);
  }
});

t.test("names are found in any case, and the one so written first", async (t) => {
  const fs = await withRoot([
    entry("README  TXT"),
    entry("README~1TXT", { long: "readme.TXT" }),
    entry("STRA-E~1", { long: "Straße ÄÖ" }),
    entry("plain"),
  ]);
  const at = async (name: string): Promise<number | undefined> => fs.lookup(fs.root, Buffer.from(name));
  const ids = (await listAll(fs, fs.root)).map(({ id }) => id);
  t.equal(await at("README.TXT"), ids[0]);
  t.equal(await at("readme.TXT"), ids[1]);
  t.equal(await at("Readme.txt"), ids[0]);
  t.equal(await at("readme~1.txt"), ids[1]);
  t.equal(await at("STRAßE äö"), ids[2]);
  t.equal(await at("STRASSE ÄÖ"), undefined);
  t.equal(await at("Plain"), ids[3]);
  t.equal(await at("plain."), undefined);
});

t.test("short names are text of the code page that is asked for", async (t) => {
  const cases: [codePage: string | undefined, raw: string, expected: string][] = [
    [undefined, "81fc8e20202020209b2020", "üⁿÄ.¢"],
    ["437", "81fc8e20202020209b2020", "üⁿÄ.¢"],
    ["cp850", "9b9d20202020202020d520", "øØ. ı"],
    ["CP852", "9dd020202020202020 2020", "Łđ"],
    ["866", "8e9e2020202020202020 20", "ОЮ"],
    ["1252", "c4d6202020202020202020", "ÄÖ"],
    ["932", "93fa967b8cea2020202020", "日本語"],
    ["949", "b0a1b3aa2020202020 2020", "가나"],
  ];
  for (const [codePage, hex, expected] of cases) {
    const raw = Buffer.from(hex.replaceAll(" ", ""), "hex");
    const slot = entry(Buffer.concat([raw, Buffer.alloc(11, 0x20)]).subarray(0, 11));
    const name = await nameOf(slot, codePage === undefined ? {} : { codePage });
    t.equal(name.toString(), expected, `${codePage}`);
  }
  await t.rejects(withRoot([], { codePage: "438" }), UnsupportedError);
  await t.rejects(withRoot([], { timeZone: "Mars/Olympus" }), UnsupportedError);
});

t.test("bytes that a code page has no character for stay bytes, and are found", async (t) => {
  const slot = entry(Buffer.from("81418d2020202020 902020".replace(" ", ""), "hex"), { caseFlags: 0x08 });
  const fs = await withRoot([slot], { codePage: "1252" });
  const [found] = await listAll(fs, fs.root);
  t.equal(found!.name.toString("latin1"), "\x81a\x8d.\x90");
  t.equal(await fs.lookup(fs.root, found!.name), found!.id);
});

t.test("the first byte 0x05 is 0xe5, in names and in labels", async (t) => {
  t.equal((await nameOf(entry("\x05ELTA"))).toString(), "σELTA");
  const fs = await withRoot([entry("\x05BEL", { attributes: 0x08 })]);
  t.equal(fs.facts.label, "σBEL");
});

t.test(
  "the flags of Windows NT put a name or its extension into lower case, but not a long name",
  async (t) => {
    const cases: [flags: number, long: string | undefined, expected: string][] = [
      [0x00, undefined, "READMEÄ.TXT"],
      [0x08, undefined, "readmeä.TXT"],
      [0x10, undefined, "READMEÄ.txt"],
      [0x18, undefined, "readmeä.txt"],
      [0x18, "ReadMe.Txt", "ReadMe.Txt"],
    ];
    for (const [caseFlags, long, expected] of cases) {
      const fields: EntryFields = { caseFlags, ...(long !== undefined && { long }) };
      t.equal((await nameOf(entry("README\x8e TXT", fields))).toString(), expected);
    }
  },
);

t.test("labels, deleted entries, dots and what follows the end are no files", async (t) => {
  const fs = await withRoot([
    entry("A"),
    entry("THE LABEL", { attributes: 0x08 }),
    entry("\xe5ELETED"),
    entry("B"),
    Buffer.alloc(32),
    entry("GHOST"),
  ]);
  t.same(await namesIn(fs), ["A", "B"]);
  t.equal(fs.facts.label, "THE LABEL");
  t.equal(await fs.lookup(fs.root, Buffer.from("GHOST")), undefined);
  t.equal(await fs.lookup(fs.root, Buffer.from("THE LABEL")), undefined);
});

t.test("an entry without a name is passed over, and control characters are shown, as by Linux", async (t) => {
  const fs = await withRoot([entry("A"), entry("B\x01"), entry(""), entry("C")]);
  const all = await listAll(fs, fs.root);
  t.same(
    all.map(({ name }) => name.toString()),
    ["A", "B\x01", "C"],
  );
  t.equal(await fs.lookup(fs.root, Buffer.from("c")), all[2]!.id);
  t.equal(await fs.lookup(fs.root, Buffer.from("b\x01")), all[1]!.id);
  t.equal(await fs.lookup(fs.root, Buffer.from("D")), undefined);
});

t.test("an entry without a short name has its long name", async (t) => {
  const fs = await withRoot([entry("", { long: "only this name" }), entry("LAST")]);
  const [first] = await listAll(fs, fs.root);
  t.equal(first!.name.toString(), "only this name");
  t.equal(await fs.lookup(fs.root, Buffer.from("ONLY this name")), first!.id);
});

t.test("a short name ends at a NUL, as mtools leaves them", async (t) => {
  const fs = await withRoot([entry("_____A^~ \0\0"), entry("AB\0     TX\0"), entry(" \0A        ")]);
  const all = await listAll(fs, fs.root);
  t.same(
    all.map(({ name }) => name.toString()),
    ["_____A^~", "AB.TX"],
    "nothing before it is no name",
  );
  t.equal(await fs.lookup(fs.root, Buffer.from("ab.tx")), all[1]!.id);
});

t.test("attributes become modes, and are told as they are", async (t) => {
  const fs = await withRoot([entry("A"), entry("B", { attributes: 0x07 }), entry("C", { attributes: 0x11 })]);
  const [a, b, c] = await listAll(fs, fs.root);
  const modes = await Promise.all([a!, b!, c!].map(async ({ id }) => (await fs.attributes(id)).permissions));
  t.same(modes, [0o644, 0o444, 0o755]);
  t.same((await fs.extendedAttributes(b!.id)).get("system.dos_attrib"), Buffer.from([7]));
  t.equal((await fs.extendedAttributes(fs.root)).size, 0);
  t.match(await fs.attributes(a!.id), { uid: process.getuid!(), gid: process.getgid!(), linkCount: 1 });
});

const date = (year: number, month: number, day: number): number => ((year - 1980) << 9) | (month << 5) | day;
const time = (hour: number, minute: number, second: number): number =>
  (hour << 11) | (minute << 5) | (second >>> 1);

t.test("times are the guest's clock's, in the zone that is asked for", async (t) => {
  const cases: [zone: string | undefined, date: number, time: number, expected: string][] = [
    [undefined, date(2024, 7, 1), time(12, 0, 0), "2024-07-01T12:00:00"],
    ["Europe/Berlin", date(2024, 7, 1), time(12, 0, 0), "2024-07-01T10:00:00"],
    ["Europe/Berlin", date(2024, 1, 1), time(0, 30, 58), "2023-12-31T23:30:58"],
    ["Europe/Berlin", date(2024, 3, 31), time(2, 30, 0), "2024-03-31T01:30:00"], // was skipped
    ["Europe/Berlin", date(2024, 10, 27), time(2, 30, 0), "2024-10-27T00:30:00"], // came twice
    ["Australia/Lord_Howe", date(2024, 4, 7), time(1, 45, 0), "2024-04-06T14:45:00"],
    ["America/St_Johns", date(1999, 12, 31), time(23, 59, 58), "2000-01-01T03:29:58"],
    ["+05:45", date(1980, 1, 1), time(0, 0, 0), "1979-12-31T18:15:00"],
    ["-12:00", date(2107, 12, 31), time(23, 59, 58), "2108-01-01T11:59:58"],
    [undefined, 0, 0, "1980-01-01T00:00:00"],
    [undefined, date(2023, 2, 31), time(31, 63, 62), "2023-02-28T23:59:58"],
    [undefined, date(2023, 15, 1), time(0, 0, 0), "2023-12-01T00:00:00"],
  ];
  for (const [timeZone, day, clock, expected] of cases) {
    const slot = entry("A", { written: [day, clock], accessed: day, created: [day, clock, 155] });
    const fs = await withRoot([slot], timeZone === undefined ? {} : { timeZone });
    const { modified, changed, created } = await fs.attributes((await listAll(fs, fs.root))[0]!.id);
    t.equal(formatTimestamp(modified).slice(0, 19), expected, `${timeZone}`);
    t.same(changed, modified);
    if (day === 0) t.equal(created, undefined);
    else t.same(created, { seconds: modified.seconds + 1, nanoseconds: 550_000_000 });
  }
});

/** Entry sets, names and times, each slot written by hand. */
import t from "tap";
import { formatTimestamp } from "../../../src/bytes/time.js";
import { CorruptError } from "../../../src/errors.js";
import { exfatDriver } from "../../../src/filesystem/exfat/exfat.js";
import { listAll } from "../ext/support.js";
import { find, namesIn, openBytes } from "../fat/support.js";
import { ExfatBuilder, fileSet, open, range, resum } from "./builder.js";
import { listEntries } from "../../../src/filesystem/entries.js";

t.test("names are compared by the volume's own table", async (t) => {
  const image = new ExfatBuilder({ clusterCount: 100 });
  image.growRoot(50);
  image.root(Buffer.concat([fileSet("Café"), fileSet("Tür")]));
  const fs = await open(image);
  const [cafe, door] = await listAll(fs, fs.root);
  const at = async (name: string): Promise<number | undefined> => fs.lookup(fs.root, Buffer.from(name));
  t.equal(await at("CAFÉ"), cafe!.id);
  t.equal(await at("TüR"), door!.id);
  t.equal(await at("TÜR"), undefined);
});

t.test("a damaged up-case table is told, and Unicode's is used", async (t) => {
  const image = new ExfatBuilder({ clusterCount: 100 });
  image.root(fileSet("Tür"));
  image.bytes[image.offsetOf(3) + 20]! ^= 1;
  const fs = await open(image);
  t.match(fs.facts.warnings, [
    "the up-case table's checksum is wrong; names are compared by Unicode's upper case",
  ]);
  t.type(await fs.lookup(fs.root, Buffer.from("TÜR")), "number");
});

t.test("an entry set that crosses from one cluster to another is found by its number alone", async (t) => {
  for (const isContiguous of [true, false]) {
    const image = new ExfatBuilder({ clusterCount: 200 });
    const clusters = isContiguous ? range(100, 8) : [100, 60, 140, 61, 139, 62, 138, 63];
    const sets = range(0, 25).map((i) =>
      fileSet(`${"n".repeat((i * 7) % 40)}${i}`, { size: i, validSize: 0, firstCluster: 150 }),
    );
    image.put(Buffer.concat(sets), clusters, isContiguous);
    image.root(fileSet("dir", { attributes: 0x10, firstCluster: 100, size: 8 * 512, isContiguous }));
    const bytes = Buffer.from(image.finish());
    const fs = await openBytes(bytes, {}, exfatDriver);
    const entries = await listAll(fs, (await find(fs, "dir"))!);
    t.equal(entries.length, 25);
    const again = await openBytes(bytes, {}, exfatDriver);
    for (const [index, { id }] of entries.entries()) t.equal((await again.attributes(id)).size, index);
  }
});

t.test("a set whose checksum, number or order of slots is wrong is one damaged entry", async (t) => {
  const good = fileSet("good");
  const changes: [change: (set: Buffer) => Buffer, RegExp][] = [
    [(set) => (set.writeUInt8(set[40]! ^ 1, 40), set), /the checksum of a directory entry is/],
    [(set) => ((set[1] = 1), resum(set)), /number of a directory entry's further slots is 1/],
    [(set) => set.subarray(0, 64), /number of a directory entry's slots is 2, but must be 3/],
    [(set) => ((set[64] = 0x41), set), /number of a directory entry's slots is 2, but must be 3/],
    [(set) => ((set[32] = 0xc1), resum(set)), /type of a file's second slot is 193/],
    [(set) => ((set[35] = 16), resum(set)), /length of a name is 16/],
    [(set) => ((set[35] = 0), resum(set)), /length of a name is 0/],
  ];
  for (const [change, complaint] of changes) {
    const image = new ExfatBuilder({ clusterCount: 100 });
    image.growRoot(50, 40);
    image.root(Buffer.concat([good, change(fileSet("bad")), fileSet("last")]));
    const fs = await open(image);
    const entries = await listAll(fs, fs.root);
    const [, damaged, last] = entries;
    t.same(
      entries.map(({ name, id }) => [name.toString(), id !== 0]),
      [
        ["good", true],
        ["damaged-directory-entry-0xa0", false],
        ["last", true],
      ],
    );
    t.match(damaged!.problem!.message, complaint);
    await t.rejects(fs.lookup(fs.root, damaged!.name), complaint);
    t.equal(await fs.lookup(fs.root, Buffer.from("LAST")), last!.id);
    await t.rejects(
      fs.lookup(fs.root, Buffer.from("bad")),
      CorruptError,
      "the damaged one may have this name",
    );
    await t.rejects(fs.lookup(fs.root, Buffer.from("damaged-directory-entry-0xc0")), complaint);
    t.same(
      (await listEntries(fs, fs.root, damaged!.cookie)).map(({ name }) => name.toString()),
      ["last"],
    );
  }
});

t.test("a set that is cut off by the end of its directory is one damaged entry", async (t) => {
  const image = new ExfatBuilder({ clusterCount: 100 });
  const slots = Buffer.concat([...range(0, 5).map((i) => fileSet(`f${i}`)), fileSet("cut")]).subarray(0, 512);
  image.put(slots, [60]);
  image.root(fileSet("dir", { attributes: 0x10, firstCluster: 60, size: 512 }));
  const fs = await open(image);
  const dir = (await find(fs, "dir"))!;
  const entries = await listAll(fs, dir);
  t.same(
    entries.map(({ name }) => name.toString()),
    ["f0", "f1", "f2", "f3", "f4", "damaged-directory-entry-0x1e0"],
  );
  t.match(entries.at(-1)!.problem!.message, /number of a directory entry's slots is 1, but must be 3/);
  await t.rejects(fs.lookup(dir, entries.at(-1)!.name), /number of a directory entry's slots is 1/);
});

t.test("deleted sets, vendors' slots and what follows the end are passed over", async (t) => {
  const image = new ExfatBuilder({ clusterCount: 100 });
  image.growRoot(50, 40);
  const vendor = Buffer.alloc(32);
  vendor[0] = 0xe0;
  const deleted = fileSet("deleted");
  for (let at = 0; at < deleted.length; at += 32) deleted[at]! &= 0x7f;
  const unknown = Buffer.alloc(32);
  unknown[0] = 0xa5;
  image.root(
    Buffer.concat([
      fileSet("a", { extra: [vendor] }),
      deleted,
      unknown,
      fileSet("b"),
      Buffer.alloc(32),
      fileSet("c"),
    ]),
  );
  t.same(await namesIn(await open(image)), ["a", "b"]);
});

t.test("names of every length, and names that a host would not take, lead back to their files", async (t) => {
  for (const name of [
    "n",
    "n".repeat(15),
    "n".repeat(16),
    "é".repeat(255),
    "..",
    "a/b",
    "half \ud800",
    "😀",
  ]) {
    const image = new ExfatBuilder({ clusterCount: 100 });
    image.growRoot(50, 40);
    image.root(fileSet(name));
    const fs = await open(image);
    const [found] = await listAll(fs, fs.root);
    t.notMatch(found!.name.toString("latin1"), /\/|^\.\.?$/);
    t.equal(await fs.lookup(fs.root, found!.name), found!.id);
  }
});

t.test("times have the zone that is stored with them, else the one that is asked for", async (t) => {
  const date = (44 << 9) | (7 << 5) | 1;
  const noon = 12 << 11;
  const cases: [offset: number, zone: string | undefined, expected: string][] = [
    [0x80, "Europe/Berlin", "2024-07-01T12:00:01.990000000Z"],
    [0x88, "Europe/Berlin", "2024-07-01T10:00:01.990000000Z"],
    [0x80 | (0x80 - 14), undefined, "2024-07-01T15:30:01.990000000Z"],
    [0xff, undefined, "2024-07-01T12:15:01.990000000Z"],
    [0x08, undefined, "2024-07-01T12:00:01.990000000Z"],
    [0x00, "Europe/Berlin", "2024-07-01T10:00:01.990000000Z"],
  ];
  for (const [offset, timeZone, expected] of cases) {
    const image = new ExfatBuilder({ clusterCount: 100 });
    const stamp = [date, noon, 199, offset] as const;
    image.root(fileSet("f", { created: stamp, modified: stamp, accessed: [date, noon, offset] }));
    const fs = await open(image, timeZone === undefined ? {} : { timeZone });
    const attributes = await fs.attributes((await find(fs, "f"))!);
    t.equal(formatTimestamp(attributes.modified), expected);
    t.equal(formatTimestamp(attributes.created!), expected);
    t.equal(formatTimestamp(attributes.accessed), expected.replace("1.99", "0.00"));
  }
});

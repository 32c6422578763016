import { readFileSync } from "node:fs";
import { basename } from "node:path";
import t from "tap";
import { CorruptError, DiskError, UnsupportedError } from "../../../src/errors.js";
import { withDescendants } from "../../../src/machine/descendants.js";
import { parseSettings } from "../../../src/machine/virtualbox/settings.js";
import { realSettings } from "../../image/image.js";

const machine = (disks: string, more = ""): string =>
  `<VirtualBox xmlns="http://www.virtualbox.org/"><Machine uuid="{M}" name="m"><MediaRegistry><HardDisks>${disks}` +
  `</HardDisks></MediaRegistry>${more}</Machine></VirtualBox>`;

t.test("media are read at every depth, and their UUIDs are normalized", (t) => {
  const nested = machine(
    `<HardDisk uuid="{A}" location="a.vdi"><Description/><HardDisk uuid="{B}" location="Snapshots/b.vdi"/>` +
      `<HardDisk uuid="{C}" location="c.vdi"><HardDisk uuid="{D}" location="d.vdi"/></HardDisk></HardDisk>`,
  );
  t.same(
    withDescendants(parseSettings(nested, "m.vbox").media).map(({ uuid }) => uuid),
    ["a", "b", "c", "d"],
  );
  const deep = `<HardDisk uuid="{A}" location="a">`.repeat(300) + "</HardDisk>".repeat(300);
  t.equal(withDescendants(parseSettings(machine(deep), "m.vbox").media).length, 300);
  t.end();
});

t.test("XML's own entities are resolved, one that the file declares is refused", (t) => {
  const text = machine(`<HardDisk uuid="{a}" location="Tom &amp; &#x4A;&quot;&#233;&quot;.vdi"/>`);
  t.equal(parseSettings(text, "m.vbox").media[0]!.location, 'Tom & J"é".vdi');
  const hostile = `<!DOCTYPE x [<!ENTITY own "more">]>${machine('<HardDisk uuid="{a}" location="&own;"/>')}`;
  t.throws(() => parseSettings(hostile, "m.vbox"), CorruptError);
  t.end();
});

t.test("a file that is not a machine's settings is a DiskError, whatever it contains", (t) => {
  for (const text of ["<VirtualBox/>", "<a><b/></a>", "<VirtualBox><Global/></VirtualBox>", "<__proto__/>"]) {
    t.throws(() => parseSettings(text, "m.vbox"), UnsupportedError);
  }
  for (const text of ["", "garbage", "\0\xff", "<a", machine("<HardDisk>".repeat(900))]) {
    t.throws(() => parseSettings(text, "m.vbox"), CorruptError);
  }
  for (const disks of ["<HardDisk>".repeat(5000), `<HardDisk uuid="a" location="b"/>`.repeat(10_002)]) {
    t.throws(() => parseSettings(machine(disks), "m.vbox"), UnsupportedError);
  }
  t.same(parseSettings(machine(`<HardDisk uuid="{a}"/>text<HardDisk/>`), "m.vbox").media, []);
  t.end();
});

/** What is in the real settings, by their file's name. */
const REAL: Readonly<Record<string, { images: number; snapshot: object }>> = {
  "tree.vbox": {
    images: 8,
    snapshot: {
      name: "state 2",
      taken: { seconds: Date.parse("2026-11-28T02:12:01Z") / 1000 },
      attachments: [{ slot: "SATA 0:0", uuid: "841920d7-00f1-4f16-bc0e-d55788ecd328" }],
    },
  },
  "GOAD-DC01.vbox": {
    images: 5,
    snapshot: {
      name: "push_1766170151_8843",
      taken: { seconds: Date.parse("2025-12-19T18:49:11Z") / 1000 },
      attachments: [{ slot: "IDE Controller 0:0", uuid: "3c72ec80-dc73-4448-a63e-97970cdd87e5" }],
    },
  },
};

for (const path of realSettings) {
  t.test(`${basename(path)}, a real machine's file, is read; cut anywhere, it is a DiskError`, (t) => {
    const text = readFileSync(path, "utf8");
    const expected = REAL[basename(path)]!;
    const { media, snapshot } = parseSettings(text, path);
    t.equal(withDescendants(media).length, expected.images);
    t.match(withDescendants([snapshot!])[1], expected.snapshot);
    for (let length = 0; length < text.trimEnd().length; length += 7) {
      try {
        parseSettings(text.slice(0, length), "cut.vbox");
        t.fail(`cut at ${length}, it is read`);
      } catch (error) {
        if (!(error instanceof DiskError)) t.fail(`${length}: ${String(error)}`);
      }
    }
    t.end();
  });
}

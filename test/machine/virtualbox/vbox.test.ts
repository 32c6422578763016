import { existsSync, readFileSync } from "node:fs";
import t from "tap";
import { CorruptError, DiskError, UnsupportedError } from "../../../src/errors.js";
import { parseMachineFile } from "../../../src/machine/virtualbox/vbox.js";

const machine = (disks: string): string =>
  `<VirtualBox xmlns="http://www.virtualbox.org/"><Machine name="m"><MediaRegistry><HardDisks>${disks}` +
  `</HardDisks></MediaRegistry></Machine></VirtualBox>`;

t.test("hard disks are listed at every depth, and their UUIDs lose braces and capitals", (t) => {
  const nested = machine(
    `<HardDisk uuid="{A}" location="a.vdi"><Description/><HardDisk uuid="{B}" location="Snapshots/b.vdi"/>` +
      `<HardDisk uuid="{C}" location="c.vdi"><HardDisk uuid="{D}" location="d.vdi"/></HardDisk></HardDisk>`,
  );
  const uuids = parseMachineFile(nested, "m.vbox").hardDisks.map(({ uuid }) => uuid);
  t.same(uuids.sort(), ["a", "b", "c", "d"]);
  const deep = `<HardDisk uuid="{A}" location="a">`.repeat(300) + "</HardDisk>".repeat(300);
  t.equal(parseMachineFile(machine(deep), "m.vbox").hardDisks.length, 300);
  t.end();
});

t.test("XML's own entities are resolved in locations, others are left alone", (t) => {
  const text = machine(`<HardDisk uuid="{a}" location="Tom &amp; &#x4A;&quot;&#233;&quot; &own;.vdi"/>`);
  t.equal(parseMachineFile(text, "m.vbox").hardDisks[0]!.location, 'Tom & J"é" &own;.vdi');
  const hostile = `<!DOCTYPE x [<!ENTITY own "more">]>${text}`;
  t.equal(parseMachineFile(hostile, "m.vbox").hardDisks[0]!.location, 'Tom & J"é" &own;.vdi');
  t.end();
});

t.test("what is no machine is a DiskError, whatever it is", (t) => {
  for (const text of [
    "",
    "garbage",
    "<VirtualBox/>",
    "<a><b/></a>",
    "\0\xff",
    "<VirtualBox><Global/></VirtualBox>",
  ]) {
    t.throws(() => parseMachineFile(text, "m.vbox"), UnsupportedError);
  }
  for (const text of ["<a", "<__proto__/>", machine("<HardDisk>".repeat(5000))]) {
    t.throws(() => parseMachineFile(text, "m.vbox"), CorruptError);
  }
  t.throws(
    () => parseMachineFile(machine(`<HardDisk uuid="a" location="b"/>`.repeat(10_002)), "m.vbox"),
    UnsupportedError,
  );
  t.same(parseMachineFile(machine(`<HardDisk uuid="{a}"/>text<HardDisk/>`), "m.vbox").hardDisks, []);
  t.end();
});

t.test("a real machine file is read; cut anywhere, it is read or is a DiskError", (t) => {
  const path = new URL("../../../../shared/corpora/vbox/GOAD-DC01.vbox", import.meta.url);
  if (!existsSync(path)) {
    t.end();
    return;
  }
  const text = readFileSync(path, "utf8");
  const { hardDisks } = parseMachineFile(text, "GOAD-DC01.vbox");
  t.equal(hardDisks.length, 5);
  t.ok(
    hardDisks.some(
      ({ uuid, location }) =>
        uuid === "e6800503-8273-4f16-b584-c7ba2c1df698" &&
        location === "Snapshots/{e6800503-8273-4f16-b584-c7ba2c1df698}.vmdk",
    ),
  );
  for (let length = 0; length < text.length; length += 7) {
    try {
      parseMachineFile(text.slice(0, length), "cut.vbox");
    } catch (error) {
      if (!(error instanceof DiskError)) t.fail(`${length}: ${String(error)}`);
    }
  }
  t.end();
});

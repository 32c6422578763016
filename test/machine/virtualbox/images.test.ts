import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { findVirtualBoxImages } from "../../../src/machine/virtualbox/images.js";

const vbox = (...locations: string[]): string =>
  `<VirtualBox><Machine uuid="{m}" name="m"><MediaRegistry><HardDisks>` +
  locations.map((location, at) => `<HardDisk uuid="{u${at}}" location="${location}"/>`).join("") +
  `</HardDisks></MediaRegistry></Machine></VirtualBox>`;

t.test("a machine's images are found from its folder and from the folder below", async (t) => {
  const folder = t.testdir({
    "m.vbox": vbox("base.vdi", "Snapshots/one.vdi", "gone.vdi"),
    "base.vdi": "",
    Snapshots: { "one.vdi": "" },
  });
  const images = [
    { path: join(folder, "base.vdi"), uuid: "u0" },
    { path: join(folder, "Snapshots/one.vdi"), uuid: "u1" },
  ];
  for (const { path } of images) {
    t.same(await findVirtualBoxImages({ path }), { folders: [folder], images, warnings: [] });
  }
});

t.test("an image is also found by its UUID; one that is not registered has no machine", async (t) => {
  const folder = t.testdir({ "m.vbox": vbox("base.vdi"), "base.vdi": "", "other.vdi": "" });
  const path = join(folder, "other.vdi");
  t.same(await findVirtualBoxImages({ path, uuid: "u7" }), { folders: [], images: [], warnings: [] });
  t.same((await findVirtualBoxImages({ path, uuid: "u0" })).folders, [folder]);
});

t.test(
  "the images of a moved machine, and of one from Windows, are found by name in its own folders",
  async (t) => {
    const folder = t.testdir({
      "m.vbox": vbox(
        "/gone/from/here/a.vdi",
        "C:\\VMs\\m\\b.vdi",
        "Snapshots\\c.vdi",
        "D:\\Snapshots\\d.vdi",
      ),
      "a.vdi": "",
      "b.vdi": "",
      Snapshots: { "c.vdi": "", "d.vdi": "" },
    });
    const { images } = await findVirtualBoxImages({ path: join(folder, "a.vdi") });
    t.same(
      images.map(({ path }) => path),
      ["a.vdi", "b.vdi", "Snapshots/c.vdi", "Snapshots/d.vdi"].map((name) => join(folder, name)),
    );
  },
);

t.test("a machine file that cannot be read is ignored with a warning", async (t) => {
  const folder = t.testdir({
    "a.vbox": "<a",
    "b.vbox": "encrypted",
    "c.vbox": {},
    "m.vbox": vbox("base.vdi"),
    "base.vdi": "",
  });
  const { images, warnings } = await findVirtualBoxImages({ path: join(folder, "base.vdi") });
  t.equal(images.length, 1);
  t.equal(warnings.length, 3);
  t.match(warnings[0], /a\.vbox: this is not complete and valid XML \(.*\); it is ignored/);
});

t.test("machine files that would take very long to read are ignored; the others are not", async (t) => {
  const long = `<VirtualBox>${Array.from({ length: 250_000 }, (_, at) => `<a${at}/>`).join("")}</VirtualBox>`;
  const folder = t.testdir({ "m.vbox": vbox("base.vdi"), "base.vdi": "" });
  for (const name of "abc") await writeFile(join(folder, `${name}.vbox`), long);
  const { images, warnings } = await findVirtualBoxImages({ path: join(folder, "base.vdi") });
  t.equal(images.length, 1);
  t.equal(warnings.length, 3);
  t.match(
    warnings[1],
    /b\.vbox: the number of its elements is larger, but must be at most 200000; it is ignored/,
  );
});

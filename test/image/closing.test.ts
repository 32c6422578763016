/** No file stays open where something fails, and one failure to close does not keep others open. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { HostError } from "../../src/errors.js";
import { openChain } from "../../src/image/chain.js";
import { openImageAt } from "../../src/image/formats.js";
import { raw } from "../../src/image/raw.js";
import { singleStateImage } from "../../src/image/states.js";
import type { Storage } from "../../src/storage/storage.js";
import { toyFormat, writeFiles } from "./toy.js";

const formats = [toyFormat(), raw];
const openCount = (): number => readdirSync("/proc/self/fd").length;

t.test("what fails between opening a file and opening its image closes the file", async (t) => {
  const folder = t.testdir();
  writeFiles(folder, { "a.img": 1 });
  const before = openCount();
  // Node refuses such a folder with a TypeError: it stands for any failure there.
  await t.rejects(openImageAt(join(folder, "a.img"), { allowDirs: ["a\0b"] }), TypeError);
  t.equal(openCount(), before);
});

t.test("a chain that fails closes all of its images, and all that were looked at", async (t) => {
  const folder = t.testdir();
  const uuids = ["a", "b", "c"].map((digit) => `${digit.repeat(8)}-1111-4222-8333-444444444444`);
  writeFiles(folder, {
    a: 1,
    "a.img": `TOY\nid ${uuids[0]} -\nstate now\nfile a`,
    "b.img": `TOY\nid ${uuids[1]} -\nstate now\nfile a\nparent - - id\nparent-id ${uuids[2]} -`,
    "c.img": `TOY\nstate now\nfile a\nparent - - id\nparent-id ${uuids[1]} -`,
    "no-state.img": "TOY\nparent a.img toy same\nparent-state nothing\nstate now\nabsent",
  });
  const before = openCount();
  for (const name of ["c.img", "no-state.img"]) {
    await t.rejects(openChain(join(folder, name), { formats }), { name: "MissingError" });
    t.equal(openCount(), before, name);
  }
});

t.test("closing an image waits for all of its files, also when one of them fails", async (t) => {
  let closed = 0;
  const storage = (close: () => Promise<void>): Storage => ({
    location: "/a",
    name: "a",
    size: 0,
    read: () => Promise.resolve(),
    close,
  });
  const slow = storage(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    closed++;
  });
  const failing = storage(() => Promise.reject(new HostError("no", "EIO")));
  const image = singleStateImage(
    { format: "toy", files: [failing, slow, slow] },
    { size: 0, variant: "toy", warnings: [], details: {}, map: () => Promise.resolve([]) },
  );
  await t.rejects(image.close(), HostError);
  t.equal(closed, 2);
});

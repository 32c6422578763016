import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { neighbourhood } from "../../src/image/neighbourhood.js";

const uuidOf = (index: number): string =>
  `${index.toString(16).padStart(8, "0")}-1111-4222-8333-444444444444`;

t.test(
  "registered files come first, then those named with the UUID, images, and other files; each once",
  async (t) => {
    const folder = t.testdir({
      "a.vdi": "",
      "b.log": "",
      [`{${uuidOf(7).toUpperCase()}}.vdi`]: "",
      Snapshots: { "c.img": "" },
    });
    mkdirSync(join(folder, "deeper"));
    writeFileSync(join(folder, "deeper/d.vdi"), "");
    const files = neighbourhood([{ path: "/machine/base.vdi", uuid: uuidOf(9) }], () => true);
    await files.addFolder(folder);
    await files.addFolder(folder);
    t.same(files.takeNamed(uuidOf(9), 4), ["/machine/base.vdi"]);
    t.same(files.takeNamed(uuidOf(7), 4), [join(folder, `{${uuidOf(7).toUpperCase()}}.vdi`)]);
    t.same(files.takeNamed(uuidOf(7), 4), []);
    t.same(files.takeImages(4), [join(folder, "a.vdi"), join(folder, "Snapshots/c.img")]);
    t.same(files.takeOthers(4), [join(folder, "b.log")]);
    t.same([files.takeImages(1), files.takeOthers(1), files.omittedCount], [[], [], 0]);
  },
);

t.test(
  "a folder outside the allowed ones is not read, and one that does not exist is no error",
  async (t) => {
    const folder = t.testdir({ "a.vdi": "" });
    const files = neighbourhood([], () => false);
    await files.addFolder(folder);
    await files.addFolder(join(folder, "none"));
    t.same([[...files.folders], [...files.outside].length, files.takeImages(1)], [[], 1, []]);
  },
);

t.test("of thousands of files each is found by its UUID at once, and all are taken soon", async (t) => {
  const folder = t.testdir();
  const count = 26_000;
  for (let index = 0; index < count; index++) writeFileSync(join(folder, `{${uuidOf(index)}}.vdi`), "");
  const files = neighbourhood([], () => true);
  await files.addFolder(folder);
  t.equal(files.omittedCount, 0, "those with a UUID in their name can be found, however many there are");
  const started = performance.now();
  for (let index = 0; index < count; index += 2) {
    const [path, ...others] = files.takeNamed(uuidOf(index), 4);
    if (path === undefined || others.length > 0) t.fail(`file ${index}`);
  }
  let rest = 0;
  for (let paths = files.takeImages(4); paths.length > 0; paths = files.takeImages(4)) rest += paths.length;
  t.ok(rest > 10_000 && rest <= count / 2, `${rest} others`);
  const took = performance.now() - started;
  t.ok(took < 1000, `${Math.round(took)} ms`);
});

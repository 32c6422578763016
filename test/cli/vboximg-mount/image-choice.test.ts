import { join } from "node:path";
import t from "tap";
import { findImage } from "../../../src/cli/vboximg-mount/image-choice.js";
import type { Machine } from "../../../src/machine/machine.js";
import { disk, machine, medium } from "./support.js";

const BASE = "11111111-2222-4333-8444-555555555501";
const LEAF = "11111111-2222-4333-8444-555555555502";
const SNAPSHOT = "aaaaaaaa-2222-4333-8444-555555555501";
const SECOND = "aaaaaaaa-2222-4333-8444-555555555502";
const DATA = "11111111-2222-4333-8444-555555555504";
const MORE = "11111111-2222-4333-8444-555555555505";

const base = medium(BASE, {
  at: "/vms/web/web.vdi",
  children: [medium(LEAF, { at: "/vms/web/Snapshots/{leaf}.vdi" })],
});
const web = machine("web", "cccccccc-2222-4333-8444-555555555501", [
  {
    slot: "SATA 0:0",
    base,
    states: [
      { name: "Before", uuid: SNAPSHOT, isCurrent: false, imageUuid: BASE, image: base.path! },
      { name: "current", isCurrent: true, imageUuid: LEAF },
    ],
  },
]);
const data = { name: "S", uuid: SECOND, isCurrent: false, imageUuid: DATA };
const two = machine("two disks", "cccccccc-2222-4333-8444-555555555502", [
  {
    slot: "IDE 0:0",
    base: medium(DATA, { at: "/vms/two/web.vdi" }),
    states: [data, { name: "current", isCurrent: true, imageUuid: DATA }],
  },
  disk(medium(MORE, { at: "/vms/two/b.vdi" }), [MORE]),
]);

const meant = (name: string, ...machines: readonly Machine[]): Promise<string> =>
  findImage(name, async () => ({ machines, media: [], warnings: [] }));

t.test(
  "an image is found by its UUID, with or without braces, in any case, or by its file's name",
  async (t) => {
    t.equal(await meant(LEAF, web, two), LEAF);
    t.equal(await meant(`{${LEAF.toUpperCase()}}`, web), LEAF);
    t.equal(await meant(BASE, web), BASE);
    t.equal(await meant("{leaf}.vdi", web, two), LEAF);
    t.equal(await meant("b.vdi", web, two), MORE);
  },
);

t.test("a snapshot's UUID is its image; a machine's UUID is the current image of its disk", async (t) => {
  t.equal(await meant(SNAPSHOT, web, two), BASE);
  t.equal(await meant(SECOND, web, two), DATA);
  t.equal(await meant(web.uuid, web, two), LEAF);
  t.equal(await meant("Web", web, two), LEAF);
});

t.test("a name that matches nothing or several images is an error that lists them", async (t) => {
  await t.rejects(meant("web.vdi", web, two), {
    code: "MISSING",
    message: `web.vdi: several images match: ${BASE} (/vms/web/web.vdi) of "web", ${DATA} (/vms/two/web.vdi) of "two disks"; use the UUID or the path of one of them`,
  });
  await t.rejects(meant("two disks", web, two), { message: new RegExp(`${DATA}.*, ${MORE}.*b\\.vdi`) });
  await t.rejects(meant("11111111-2222-4333-8444-555555555599", web, two), {
    code: "MISSING",
    message: /no machine has an image or a snapshot with this name or UUID; vboximg-mount --list/,
  });
  const many = Array.from({ length: 30 }, (_, index) =>
    machine(`m${index}`, `${index}`, [disk(medium(`${index}0`, { at: `/vms/${index}/same.vdi` }))]),
  );
  await t.rejects(meant("same.vdi", ...many), { message: /"m5", .* more; use the UUID/ });
});

t.test("an image that is registered with no machine is found, too", async (t) => {
  const alone = medium("11111111-2222-4333-8444-555555555506", {
    at: "/vms/alone.vdi",
    children: [medium(LEAF, {})],
  });
  const list = async () => ({ machines: [two], media: [alone], warnings: [] });
  t.equal(await findImage(alone.uuid, list), alone.uuid);
  t.equal(await findImage("alone.vdi", list), alone.uuid);
  t.equal(await findImage(LEAF, list), LEAF);
});

t.test("for a machine that cannot be read, the result is its settings file", async (t) => {
  const broken = machine("broken", "cccccccc-2222-4333-8444-555555555509", [], { problem: "no such file" });
  t.equal(await meant("broken", web, broken), broken.path);
  t.equal(await meant(broken.uuid, web, broken), broken.path);
});

t.test("DVDs and floppies are not found", async (t) => {
  const dvd = { ...medium(BASE, { at: "/iso/x.iso" }), kind: "dvd" } as const;
  const reader = machine("reader", "cccccccc-2222-4333-8444-555555555503", [], { media: [dvd] });
  await t.rejects(meant("x.iso", reader), { code: "MISSING" });
  await t.rejects(meant(BASE, reader), { code: "MISSING" });
});

t.test("a file comes first, without reading any machine", async (t) => {
  const folder = t.testdir({ "web.vdi": "" });
  const unasked = (): never => t.fail("the machines were asked for") as never;
  t.equal(await findImage(join(folder, "web.vdi"), unasked), join(folder, "web.vdi"));
  t.equal(await findImage("./not-there.vdi", unasked), "./not-there.vdi");
  process.chdir(folder);
  t.equal(await findImage("web.vdi", unasked), "web.vdi");
  t.equal(await meant("b.vdi", web, two), MORE);
});

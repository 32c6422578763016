/** An image that a configuration names is checked when it is shown, not only when it is chosen. */
import { mkdirSync, renameSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { DeniedError, DiskError } from "../../src/errors.js";
import { read } from "../../src/extent/read.js";
import { choose, type Chosen } from "../../src/machine/choose.js";
import { openDisk } from "../../src/tree/disk.js";
import { random } from "../image/random.js";
import { writeVdi } from "../image/vdi/builder.js";
import { underAttack } from "../storage/swapper.js";
import { home } from "./virtualbox/home.js";

/** Each attack's length; the environment variable makes it longer. */
const SECONDS = Number(process.env["VDISK_SWAP_SECONDS"] ?? 3);

const open = ({ image, admission }: Chosen) =>
  openDisk(image, { allowLive: true, ...(admission !== undefined && { admission }) });

/** Another machine's disk. */
const writeSecret = (path: string) =>
  writeVdi(path, {
    diskSize: 2 ** 20,
    uuid: random(77).uuid(),
    blocks: new Map([[0, Buffer.alloc(2 ** 20, "secret")]]),
  });

t.test("an image that is replaced by a link after it was chosen is not shown", async (t) => {
  const { states } = await home(t, { name: "m", snapshots: 2 });
  const secret = join(process.env["HOME"]!, "elsewhere/secret");
  await writeSecret(secret);
  const top = states.at(-1)!.disks[0]!.path;
  const base = states[0]!.disks[0]!.path;
  for (const wanted of [
    { image: "m" },
    { image: "m", snapshot: "base" },
    { image: top, snapshot: "base" },
    { image: states[0]!.disks[0]!.imageUuid },
  ]) {
    const chosen = await choose(wanted);
    await (await open(chosen)).close();
    renameSync(chosen.image, `${chosen.image}.away`);
    symlinkSync(secret, chosen.image);
    await t.rejects(open(chosen), DeniedError, JSON.stringify(wanted));
    renameSync(`${chosen.image}.away`, chosen.image);
  }
  const own = await choose({ image: base });
  t.equal(own.admission, undefined, "the file that the user named himself is opened whatever it is");
});

t.test("the same holds for a state of a chain without a machine", async (t) => {
  const { folder, states } = await home(t, { name: "m", snapshots: 2 });
  const alone = join(process.env["HOME"]!, "alone");
  mkdirSync(alone);
  for (const { disks } of states) {
    const { path } = disks[0]!;
    renameSync(path, join(alone, path.slice(path.lastIndexOf("/") + 1)));
  }
  renameSync(folder, `${folder}.gone`);
  const top = join(alone, states.at(-1)!.disks[0]!.path.replace(/.*\//, ""));
  const chosen = await choose({ image: top, snapshot: "base" });
  await (await open(chosen)).close();
  const secret = join(process.env["HOME"]!, "elsewhere/secret");
  await writeSecret(secret);
  renameSync(chosen.image, `${chosen.image}.away`);
  symlinkSync(secret, chosen.image);
  await t.rejects(open(chosen), DeniedError);
});

t.test("nor is one shown while files are renamed all the time", async (t) => {
  const { states } = await home(t, { name: "m", snapshots: 0 });
  const image = states[0]!.disks[0]!.path;
  const secret = join(process.env["HOME"]!, "elsewhere/secret");
  await writeSecret(secret);
  const link = join(dirname(image), "link");
  symlinkSync(secret, link);
  const outcomes = await underAttack(
    t,
    [image, link],
    SECONDS,
    async () => {
      try {
        const disk = await open(await choose({ image: "m" }));
        const found = (await read(disk.source, 0, 6)).toString("latin1");
        await disk.close();
        return found === "secret" ? found : "shown";
      } catch (error) {
        if (error instanceof DiskError) return error.code;
        throw error;
      }
    },
    ["shown", "DENIED"],
  );
  t.comment(JSON.stringify([...outcomes]));
  t.equal(outcomes.get("secret") ?? 0, 0);
  t.ok((outcomes.get("shown") ?? 0) > 5, `${outcomes.get("shown")} opened`);
  t.ok((outcomes.get("DENIED") ?? 0) > 5, `${outcomes.get("DENIED")} were refused`);
});

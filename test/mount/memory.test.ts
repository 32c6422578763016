/** The daemon under a limit of memory: it stays within it, and goes on serving. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { engineSizes, shareUnder } from "../../src/bytes/memory.js";
import { writeVdi } from "../image/vdi/builder.js";
import { output, run, VDISK, vdisk } from "../support/command.js";
import { controlGroup, noControlGroups } from "../support/control-group.js";
import { place } from "../support/place.js";

const MIB = 2 ** 20;
const FILE_COUNT = 60_000;
const IMAGE_SIZE = 200 * MIB;

t.test("without a limit, or with a high one, all caches have their usual size", async (t) => {
  for (const limit of [undefined, 2 ** 30, 2 ** 40]) {
    t.equal(shareUnder(limit), 1);
    t.match(engineSizes(limit), { oldSpace: 1024, semiSpace: 8, environment: {} });
  }
});

t.test("a smaller limit means smaller caches and a smaller heap, but never none", async (t) => {
  const limits = [2 ** 29, 300 * MIB, 200 * MIB, 100 * MIB, 1];
  const shares = limits.map(shareUnder);
  t.same(
    shares,
    [...shares].sort((a, b) => b - a),
  );
  t.ok(shares.every((share) => share >= 1 / 16 && share < 1));
  for (const limit of limits) {
    const { oldSpace, initialOldSpace, semiSpace } = engineSizes(limit);
    t.ok(
      oldSpace >= 48 && oldSpace * MIB <= Math.max(48 * MIB, limit / 4),
      `${oldSpace} MiB of ${limit} bytes`,
    );
    t.ok(initialOldSpace <= oldSpace && semiSpace >= 1 && semiSpace <= 8);
  }
});

/** A disk of many files, and a second state of it. */
async function twoStates(folder: string): Promise<string> {
  const files = join(folder, "files");
  for (let directory = 0; directory < FILE_COUNT / 200; directory++) {
    const path = join(files, `directory-${directory}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < 200; file++) writeFileSync(join(path, `a-file-with-a-name-${file}`), `${file}`);
  }
  const raw = join(folder, "raw");
  const options = ["-q", "-F", "-t", "ext4", "-b", "1024", "-I", "256", "-N", String(FILE_COUNT * 1.2)];
  execFileSync("mke2fs", [...options, "-d", files, raw, `${IMAGE_SIZE / MIB}M`]);
  execFileSync("rm", ["-r", files]);
  const [base, child] = ["12345678-0000-4000-8000-000000000001", "12345678-0000-4000-8000-000000000002"];
  const handle = await open(raw);
  const blocks = new Map<number, Buffer>();
  for (let block = 0; block < IMAGE_SIZE / MIB; block++) {
    const { buffer } = await handle.read(Buffer.alloc(MIB), 0, MIB, block * MIB);
    blocks.set(block, buffer);
  }
  await handle.close();
  await writeVdi(join(folder, "base.vdi"), { diskSize: IMAGE_SIZE, uuid: base, blocks });
  // One block of its own, so that the second state is resolved by itself.
  const own = new Map([[0, blocks.get(0)!]]);
  await writeVdi(join(folder, "child.vdi"), {
    diskSize: IMAGE_SIZE,
    uuid: child,
    parentUuid: base,
    type: 4,
    blocks: own,
  });
  return join(folder, "child.vdi");
}

t.test(
  "two states are walked and read within a limit of 300 MB, and of less",
  { skip: noControlGroups },
  async (t) => {
    const image = await twoStates(t.testdir());
    for (const limit of [300, 160]) {
      const group = controlGroup(t, limit * MIB);
      const mountPoint = place(t);
      const mounted = await run(...group.within(process.execPath, VDISK, "mount", image, mountPoint));
      t.equal(mounted.code, 0, mounted.stderr);
      const states = join(mountPoint, "snapshots");
      const walks = (await output("ls", states))
        .trim()
        .split("\n")
        .map(async (state) => {
          const files = join(states, state, "fs0");
          const found = await run("sh", [
            "-c",
            `find "${files}" -name 'a-file-*' -ls | wc -l; tar -cf - -C "${files}" . | wc -c`,
          ]);
          t.match(found, { code: 0, stdout: new RegExp(`^${FILE_COUNT}\n\\d{8,}\n$`), stderr: "" }, state);
        });
      t.ok(walks.length >= 2, `${walks.length} states`);
      await Promise.all(walks);
      const record = JSON.parse((await vdisk("list", "--mounts", "--json")).stdout) as Mounted[];
      const { pid } = record.find(({ mountPoint: at }) => at === mountPoint)!;
      const peak =
        Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
      t.comment(`limit ${limit} MiB: the daemon's peak is ${peak.toFixed(0)} MiB`);
      t.ok(peak < (limit * 250) / 300, `${peak.toFixed(0)} MiB of ${limit}`);
      t.equal(group.kills(), 0);
      t.equal((await vdisk("unmount", mountPoint)).code, 0);
    }
  },
);

interface Mounted {
  readonly pid: number;
  readonly mountPoint: string;
}

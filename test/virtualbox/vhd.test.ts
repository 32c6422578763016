/**
 * VHDs that the real VirtualBox writes, beside its own clones of them: dynamic, fixed and differencing ones, and chains
 * of VHD and VDI. VDISK_SEED repeats a seed.
 */
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import t from "tap";
import { openChain } from "../../src/image/chain.js";
import { readAll } from "../image/image.js";
import { random } from "../image/random.js";
import { buildVhd, utf16le } from "../image/vhd/builder.js";
import { VirtualBox } from "../support/virtualbox.js";
import { makeDisk, writeAsGuest } from "./written.js";

const MIB = 2 ** 20;
const seed = Number(process.env["VDISK_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

t.test(`seed ${seed}`, { timeout: 300_000 }, async (t) => {
  t.comment(`VDISK_SEED=${seed} repeats this`);
  const numbers = random(seed);
  const vm = await VirtualBox.start(t);
  const raw = join(vm.folder, "base.raw");
  makeDisk(vm.folder, raw, numbers);

  /** A differencing image on the one before, written to by VirtualBox; its UUID. */
  async function child(parent: string, file: string, format: string, isMixed: boolean): Promise<string> {
    await vm.manage("createmedium", "disk", "--filename", file, "--diffparent", parent, "--format", format);
    const info = await vm.manage("showmediuminfo", "disk", file);
    const uuid = /^UUID: +(\S+)$/m.exec(info)![1]!;
    // vboximg-mount writes to chains of one format only.
    if (isMixed) await vm.manage("mediumio", `--disk=${uuid}`, "formatfat", "--quick");
    else await writeAsGuest(vm, uuid, numbers);
    return uuid;
  }

  for (const [variant, formats] of [
    ["Standard", ["VHD", "VHD", "VHD"]],
    ["Fixed", ["VHD", "VDI", "VHD"]],
    ["Standard", ["VDI", "VHD", "VDI"]],
  ] as const) {
    await t.test(`${variant}: ${formats.join(", ")} on a VHD`, async (t) => {
      const folder = join(vm.folder, `${variant} ${formats.join(" ")}`);
      mkdirSync(folder);
      const base = join(folder, "base.vhd");
      await vm.manage("convertfromraw", raw, base, "--format", "VHD", "--variant", variant);
      const info = await vm.manage("showmediuminfo", "disk", base);
      const isMixed = formats.some((one) => one !== "VHD");
      const images = [{ file: base, uuid: /^UUID: +(\S+)$/m.exec(info)![1]! }];
      for (const [index, format] of formats.entries()) {
        const file = join(folder, `child ${index}.${format.toLowerCase()}`);
        images.push({ file, uuid: await child(images.at(-1)!.uuid, file, format, isMixed) });
      }
      const moved = join(folder, "moved");
      mkdirSync(moved);
      for (const { file, uuid } of images) {
        const theirs = await vm.hashOf(uuid);
        t.equal(hash(await readAll(file)), theirs, basename(file));
        const chain = await openChain(file);
        t.equal(
          chain.layers[0]!.image.identity?.uuid,
          uuid,
          "VirtualBox prints the UUID in the same byte order",
        );
        t.same(chain.warnings, []);
        await chain.close();
        copyFileSync(file, join(moved, basename(file)));
        t.equal(hash(await readAll(join(moved, basename(file)))), theirs, `${basename(file)}, moved`);
      }
    });
  }

  await t.test("sizes that no geometry has, and disks that were resized and compacted", async (t) => {
    for (const [name, size] of [
      ["odd", 5 * MIB + 512],
      ["large", 3 * 2 ** 30 + 1536],
    ] as const) {
      const [flat, file] = [join(vm.folder, `${name}.raw`), join(vm.folder, `${name}.vhd`)];
      writeFileSync(flat, numbers.bytes(3 * MIB));
      truncateSync(flat, size);
      await vm.manage("convertfromraw", flat, file, "--format", "VHD");
      const chain = await openChain(file);
      t.equal(chain.source.size, size);
      await chain.close();
      if (name === "large") continue;
      const uuid = /^UUID: +(\S+)$/m.exec(await vm.manage("showmediuminfo", "disk", file))![1]!;
      t.equal(hash(await readAll(file)), await vm.hashOf(uuid));
      await vm.manage("modifymedium", "disk", file, "--resizebyte", String(40 * MIB));
      t.equal(hash(await readAll(file)), await vm.hashOf(uuid), "resized");
      await vm.manage("modifymedium", "disk", file, "--compact");
      t.equal(hash(await readAll(file)), await vm.hashOf(uuid), "compacted");
    }
  });

  await t.test("VirtualBox reads what the tests' own builder writes as we do", async (t) => {
    const folder = join(vm.folder, "built");
    mkdirSync(folder);
    const [base, leaf] = [join(folder, "base.vhd"), join(folder, "leaf.vhd")];
    const blockSize = 2 * MIB;
    const plan = { diskSize: 5 * blockSize, blockSize };
    const block = () => {
      const bitmap = numbers.bytes(512);
      return { data: numbers.bytes(blockSize), bitmap };
    };
    writeFileSync(base, buildVhd({ ...plan, blocks: new Map([3, 0, 1].map((at) => [at, block()])) }));
    const id = "ffeeddccbbaa99887766554433221100";
    const parent = {
      id: "00112233445566778899aabbccddeeff",
      name: "base.vhd",
      locators: [{ platform: "W2ru", data: utf16le("base.vhd") }],
    };
    writeFileSync(
      leaf,
      buildVhd({ ...plan, id, parent, blocks: new Map([4, 1, 0].map((at) => [at, block()])) }),
    );
    for (const file of [base, leaf])
      t.equal(hash(await readAll(file)), await vm.hashOf(file), basename(file));
  });
});

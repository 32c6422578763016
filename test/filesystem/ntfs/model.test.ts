import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { read } from "../../../src/extent/read.js";
import { run, withFolder } from "../ext/support.js";
import { find, makeImage, mountedByNtfs3g, withNtfs } from "./support.js";

const PLAIN = ["scattered", "alternating", "far", "grown", "sizes/300001"];
const PACKED = ["packed/mixed", "packed/sparse", "packed/rewritten", "packed/appended", "packed/text300001"];
const READS = 2000; // a file

for (const [mkntfs, wants] of [
  ["-c 512", "compression"],
  ["-c 4096", "compression beyond"],
  ["-c 65536", ""],
] as const) {
  t.test(`mkntfs ${mkntfs}: random reads of fragmented, sparse, packed files are what ntfs-3g reads`, (t) =>
    withFolder(async (folder) => {
      const image = makeImage(folder, 256, ...mkntfs.split(" "));
      const names = wants === "" ? PLAIN : [...PLAIN, ...PACKED];
      await mountedByNtfs3g(image, folder, "compression", (mountPoint) => {
        run("python3", join(import.meta.dirname, "populate.py"), mountPoint, ...wants.split(" "));
      });
      await mountedByNtfs3g(image, folder, "ro", (mountPoint) =>
        withNtfs(image, async (fs) => {
          for (const [index, name] of names.entries()) {
            const model = readFileSync(join(mountPoint, name));
            const source = await fs.open(await find(fs, name));
            t.equal(source.size, model.length);
            const random = generator(12345 + index);
            let wrong = 0;
            for (let i = 0; i < READS; i++) {
              const offset = random(model.length);
              const length = Math.min(model.length - offset, random(2 ** (1 + (i % 18))));
              if (!(await read(source, offset, length)).equals(model.subarray(offset, offset + length)))
                wrong++;
            }
            t.equal(wrong, 0, `${READS} reads of ${name}`);
          }
          if (!wants.includes("beyond")) return;
          const file = openSync(join(mountPoint, "beyond"), "r");
          const source = await fs.open(await find(fs, "beyond"));
          for (const offset of [
            0,
            5000,
            2 ** 32 - 3000,
            2 ** 32,
            5 * 2 ** 30,
            5 * 2 ** 30 + 9000,
            source.size - 50,
          ]) {
            const model = Buffer.alloc(Math.min(9000, source.size - offset));
            readSync(file, model, 0, model.length, offset);
            t.ok((await read(source, offset, model.length)).equals(model), `beyond 4 GiB: ${offset}`);
          }
          closeSync(file);
        }),
      );
    }),
  );
}

function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

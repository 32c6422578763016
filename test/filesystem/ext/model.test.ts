import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { read } from "../../../src/extent/read.js";
import { mounted, run, withFolder, withImage } from "./support.js";

const FILES = ["scattered", "alternating", "punched", "unwritten", "past-the-end"];
const READS = 3000; // a file

for (const mke2fs of ["-t ext2 -b 1024", "-t ext4 -b 1024", "-t ext4 -b 4096 -O ^metadata_csum"]) {
  t.test(
    `mke2fs ${mke2fs}: random reads of fragmented, sparse, odd-sized files are what the kernel reads`,
    (t) =>
      withFolder(async (folder) => {
        const image = join(folder, "image");
        execFileSync("truncate", ["-s", "128M", image]);
        run("mke2fs", "-q", "-F", ...mke2fs.split(" "), image);
        const wants = mke2fs.includes("ext4") ? ["extents"] : [];
        const names = FILES.slice(0, wants.length > 0 ? FILES.length : 2);
        await mounted(image, folder, "rw", (mountPoint) => {
          run("python3", join(import.meta.dirname, "populate.py"), mountPoint, ...wants);
        });
        const models = await mounted(image, folder, "ro,noload", (mountPoint) =>
          names.map((name) => readFileSync(join(mountPoint, name))),
        );
        await withImage(image, async (fs) => {
          for (const [index, name] of names.entries()) {
            const model = models[index]!;
            const source = await fs.open((await fs.lookup(fs.root, Buffer.from(name)))!);
            t.equal(source.size, model.length);
            let state = 12345 + index;
            const random = (limit: number): number => {
              state = (Math.imul(state, 1103515245) + 12345) >>> 0;
              return Math.floor((state / 2 ** 32) * limit);
            };
            let wrong = 0;
            for (let i = 0; i < READS; i++) {
              const offset = random(model.length);
              const length = Math.min(model.length - offset, random(2 ** (1 + (i % 18))));
              const bytes = await read(source, offset, length);
              if (!bytes.equals(model.subarray(offset, offset + length))) wrong++;
            }
            t.equal(wrong, 0, `${READS} reads of ${name}`);
          }
        });
      }),
  );
}

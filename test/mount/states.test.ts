/** Every state of a chain, through the mount: what `vhdd` holds is the model, whatever the size and the layers. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { attempt, run, vdisk } from "../support/command.js";
import { random } from "../image/random.js";
import { writeVdiChain } from "../image/vdi/generator.js";

for (const backend of ["native", "fuse-native"]) {
  t.test(`${backend}: every state of a chain is mounted side by side, and each is its model`, async (t) => {
    const folder = t.testdir();
    const states = await writeVdiChain(folder, random(11), { depth: 4 });
    for (const [level, { path, model }] of states.entries()) {
      const place = join(folder, `mount-${level}`);
      mkdirSync(place);
      t.teardown(() => {
        attempt("umount", "-l", place);
      });
      writeFileSync(`${path}.model`, model);
      const mounted = await vdisk("mount", "--fuse-backend", backend, "--log-level", "error", path, place);
      t.equal(mounted.code, 0, mounted.stderr);
    }
    for (const [level, { path }] of states.entries()) {
      const vhdd = join(folder, `mount-${level}`, "vhdd");
      t.match(await run("cmp", [`${path}.model`, vhdd]), { code: 0, stdout: "" });
      // Again in odd pieces, past the page cache.
      const pieces = await run("sh", [
        "-c",
        `dd if="${vhdd}" iflag=direct bs=12288 status=none | cmp - "${path}.model"`,
      ]);
      t.match(pieces, { code: 0, stdout: "" });
    }
    for (const level of states.keys())
      t.equal((await vdisk("unmount", join(folder, `mount-${level}`))).code, 0);
  });
}

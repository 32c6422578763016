/** Every state of a chain, through the mount: what `vhdd` holds is the model, whatever the size and the layers. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { random } from "../image/random.js";
import { writeVdiChain } from "../image/vdi/generator.js";
import { run, vdisk } from "../support/command.js";
import { place } from "../support/place.js";

for (const backend of ["native", "fuse-native"]) {
  t.test(`${backend}: every state of a chain is mounted side by side, and each is its model`, async (t) => {
    const states = await writeVdiChain(t.testdir(), random(11), { depth: 4 });
    const places: string[] = [];
    for (const { path, model } of states) {
      writeFileSync(`${path}.model`, model);
      const folder = place(t);
      places.push(folder);
      const mounted = await vdisk("mount", "--fuse-backend", backend, path, folder);
      t.equal(mounted.code, 0, mounted.stderr);
    }
    for (const [level, { path }] of states.entries()) {
      const vhdd = join(places[level]!, "vhdd");
      t.match(await run("cmp", [`${path}.model`, vhdd]), { code: 0, stdout: "" });
      // Again in odd pieces, past the page cache.
      const direct = `dd if="${vhdd}" iflag=direct bs=12288 status=none | cmp - "${path}.model"`;
      t.match(await run("sh", ["-c", direct]), { code: 0, stdout: "" });
    }
    for (const folder of places) t.equal((await vdisk("unmount", folder)).code, 0);
  });
}

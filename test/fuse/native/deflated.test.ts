/** A codec that only TypeScript has, through the kernel. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import t from "tap";
import { isNative } from "../../../src/extent/chunks.js";
import { nativeBackend } from "../../../src/fuse/native/native.js";
import { openFile } from "../../../src/storage/file.js";
import { random } from "../../image/random.js";
import { compressDisk, compressedSource } from "../../support/compressed-disk.js";
import { place } from "../../support/place.js";
import { output } from "../support/mounted.js";
import { FakeTree } from "../support/tree.js";

const seed = Date.now() % 2 ** 32;
t.comment(`seed ${seed}`);

t.test("units of a codec that the addon does not have are read by TypeScript", async (t) => {
  t.ok(isNative("lzx"));
  t.notOk(isNative("deflate"));
  const { raw, path } = await compressDisk(place(t), random(seed), 100);
  const storage = await openFile(path);
  t.teardown(() => storage.close());
  const tree = new FakeTree();
  tree.file(tree.top, "disk", compressedSource(storage));
  const folder = place(t);
  const options = { source: "deflated", allowOther: false, allowRoot: false, extra: [] };
  const mount = await nativeBackend.mount(tree, folder, { ...options, log: pino({ level: "silent" }) });
  t.teardown(() => mount.unmount(true));
  const copy = join(place(t), "copy");
  await output("cp", join(folder, "disk"), copy);
  t.ok(readFileSync(copy).equals(raw));
  const part =
    "import os; f = os.open(sys.argv[1], os.O_RDONLY); print(json.dumps(os.pread(f, 3, 70000).hex()))";
  t.equal(
    await output("python3", "-c", `import os, sys, json\n${part}`, join(folder, "disk")),
    `"${raw.subarray(70_000, 70_003).toString("hex")}"\n`,
  );
});

/** Functions of the addon, compared with other programs of the host. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { loadAddon, type Addon } from "../../src/storage/addon.js";

const addon = ((): Addon => {
  const loaded = loadAddon();
  if (typeof loaded === "string") throw new Error(loaded);
  return loaded;
})();

const output = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

t.test("a block device's size is blockdev's, odd numbers of sectors too", (t) => {
  const path = join(t.testdir(), "image");
  for (const size of [512, 2 ** 20 + 512, 2 ** 33 + 1536]) {
    writeFileSync(path, "");
    truncateSync(path, size);
    const device = output("losetup", "--show", "-rf", path).trim();
    try {
      const fd = openSync(device, "r");
      t.equal(addon.blockDeviceSize(fd), size);
      t.equal(addon.blockDeviceSize(fd), Number(output("blockdev", "--getsize64", device)));
      closeSync(fd);
    } finally {
      output("losetup", "-d", device);
    }
  }
  const file = openSync(path, "r");
  t.throws(() => addon.blockDeviceSize(file), { code: "ENOTTY", syscall: "ioctl" });
  closeSync(file);
  t.end();
});

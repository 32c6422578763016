/**
 * The gate against a program that exchanges names while files are opened. VDISK_SWAP_SECONDS makes each attack last
 * longer than its default.
 */
import { closeSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { DeniedError, DiskError } from "../../src/errors.js";
import { loadAddon, type Addon } from "../../src/storage/addon.js";
import { openGate, type Gate, type GateOptions } from "../../src/storage/gate.js";
import { pinResolved } from "../../src/storage/pin.js";
import { underAttack } from "./swapper.js";

const SECONDS = Number(process.env["VDISK_SWAP_SECONDS"] ?? 4);
const GOOD = Buffer.from("the image's own parent");
const SECRET = Buffer.from("a file of somebody else");

/** `allowed/` with an image, `outside/` with a secret, and links that lead from one to the other. */
function scene(t: Test): { folder: string; image: string; deep: string; swaps: string[] } {
  const folder = t.testdir();
  const at = (name: string): string => join(folder, name);
  for (const name of ["allowed/deep", "outside"]) mkdirSync(at(name), { recursive: true });
  writeFileSync(at("outside/image"), SECRET);
  writeFileSync(at("allowed/image"), GOOD);
  writeFileSync(at("allowed/deep/image"), GOOD);
  symlinkSync("../outside/image", at("allowed/link"));
  symlinkSync("../outside", at("allowed/folder"));
  return {
    folder,
    image: at("allowed/image"),
    deep: at("allowed/deep/image"),
    swaps: ["allowed/image", "allowed/link", "allowed/deep", "allowed/folder"].map(at),
  };
}

/** What `gate` gives for `path`: the bytes, or the error's code. */
async function outcome(gate: Gate, path: string): Promise<string> {
  try {
    const storage = await gate.open(path);
    const bytes = Buffer.alloc(storage.size);
    await storage.read(bytes, 0).finally(() => storage.close());
    return bytes.toString();
  } catch (error) {
    if (error instanceof DiskError) return error.code;
    throw error;
  }
}

async function attack(t: Test, pin?: GateOptions["pin"]): Promise<void> {
  const { folder, image, deep, swaps } = scene(t);
  const gate = await openGate([join(folder, "allowed")], pin && { pin });
  let tries = 0;
  const outcomes = await underAttack(t, swaps, SECONDS, () =>
    outcome(gate, tries++ % 2 === 0 ? image : deep),
  );
  const leaks = outcomes.get(SECRET.toString()) ?? 0;
  t.equal(leaks, 0, `${tries} tries: ${JSON.stringify([...outcomes])}`);
  t.comment(`${tries} tries: ${JSON.stringify([...outcomes])}`);
  t.ok((outcomes.get(GOOD.toString()) ?? 0) > 10, "some opens succeed");
  t.ok((outcomes.get("DENIED") ?? 0) > 10, "some opens are refused");
  t.ok(tries > 200 * SECONDS, "there were enough tries");
}

const addon = ((): Addon => {
  const loaded = loadAddon();
  if (typeof loaded === "string") throw new Error(loaded);
  return loaded;
})();

t.test("names that are exchanged while they are opened show no file outside the folder", (t) =>
  attack(t, (path, name) => pinResolved(path, name, addon)),
);

t.test("nor without the addon", (t) => attack(t, (path, name) => pinResolved(path, name, "no addon")));

t.test("openat2 refuses a path with a symbolic link in it, and opens any other", (t) => {
  const { folder, image } = scene(t);
  const [ELOOP, ENOENT] = [40, 2];
  t.equal(addon.openResolved(join(folder, "allowed/link")), -ELOOP);
  t.equal(addon.openResolved(join(folder, "allowed/folder/image")), -ELOOP);
  t.equal(addon.openResolved(join(folder, "nothing")), -ENOENT);
  const fd = addon.openResolved(image);
  t.ok(fd >= 0);
  closeSync(fd);
  t.end();
});

t.test("what is allowed opens, with the addon and without", async (t) => {
  const { folder, image, deep } = scene(t);
  linkSync(image, join(folder, "allowed/hard"));
  symlinkSync("deep/image", join(folder, "allowed/inner"));
  symlinkSync("allowed", join(folder, "way"));
  for (const from of [addon, "no addon"]) {
    const pin = (path: string, name: string) => pinResolved(path, name, from);
    const gate = await openGate([join(folder, "way")], { files: [join(folder, "outside/image")], pin });
    for (const path of [image, deep, join(folder, "allowed/hard"), join(folder, "way/inner")])
      t.equal(await outcome(gate, path), GOOD.toString());
    t.equal(await outcome(gate, join(folder, "allowed/folder/image")), SECRET.toString(), "an allowed file");
    t.equal(await outcome(gate, join(folder, "nothing")), "MISSING");
    t.equal(await outcome(gate, join(folder, "allowed")), "UNSUPPORTED");
    const strict = await openGate([join(folder, "allowed")], { pin });
    await t.rejects(strict.open(join(folder, "allowed/link")), DeniedError);
    await t.rejects(strict.open(join(folder, "allowed/folder/image")), /allow it with --allow-dir/);
  }
});

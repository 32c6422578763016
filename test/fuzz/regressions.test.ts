/** Inputs of findings that were fixed: each is run again. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { HANG } from "./finding.js";
import { nativeTargets } from "./native.js";
import { measureExactly, processorTime } from "./probe.js";
import type { Kept } from "./state.js";
import { loadTarget, targetNames } from "./targets.js";

const FOLDER = join(import.meta.dirname, "regressions");
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
const findings = files.map((name) => ({
  name,
  ...(JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as Kept),
}));

t.test("there are findings, each of a target that there is", async (t) => {
  t.ok(findings.length > 0);
  const targets = new Set<string>([...targetNames, ...Object.keys(nativeTargets)]);
  for (const { name, target } of findings) t.ok(targets.has(target), name);
});

for (const name of targetNames) {
  const mine = findings.filter(({ target }) => target === name);
  if (mine.length === 0) continue;
  t.test(`${name}: what was found once is right bytes or a DiskError, soon`, async (t) => {
    measureExactly();
    const bases = new Set(mine.map(({ input }) => (input as { base?: string }).base));
    const target = await loadTarget(name, bases.has(undefined) ? undefined : ([...bases] as string[]));
    for (const { name: file, input } of mine) {
      const started = processorTime();
      await t.resolves(async () => target.run(input), file);
      t.ok(processorTime() - started < HANG, `${file} takes less than ${HANG} ms`);
    }
  });
}

t.test("the C++ takes every input that broke it once", async (t) => {
  const mine = findings.filter(({ target }) => target in nativeTargets);
  const folder = t.testdir();
  for (const [name, { source, flags }] of Object.entries(nativeTargets)) {
    const inputs = mine.filter(({ target }) => target === name);
    if (inputs.length === 0) continue;
    const program = join(folder, name);
    const bindings = join(import.meta.dirname, "../../native-bindings");
    const sources = ["unpack.cc", "lznt1.cc", "xpress.cc", "lzx.cc", "extents.cc"].map((one) =>
      join(bindings, one),
    );
    const own = ["main.cc", source].map((one) => join(import.meta.dirname, "native", one));
    const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    await promisify(execFile)("g++", [
      "-std=c++20",
      "-O1",
      "-g1",
      ...sanitizers,
      ...flags,
      ...own,
      ...sources,
      "-o",
      program,
    ]);
    const paths = inputs.map(({ input }, index) => {
      const path = join(folder, `${name}-${index}`);
      writeFileSync(path, Buffer.from(input as string, "hex"));
      return path;
    });
    await t.resolves(promisify(execFile)(program, paths), name);
  }
});

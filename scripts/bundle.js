/**
 * Makes each of the built programs, dist/…, one file with all that it needs and the chunks that it shares with the others:
 * Node loads some twenty files sooner than 350. Packages that are in it keep their licences beside it.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const programs = ["cli/main.js", "cli/vboximg-mount/main.js", "mount/daemon.js"];
/** They find files of their own by where they lie, or are large and seldom needed; saxes comes without its licence. */
const external = ["fuse-native", "node-gyp-build", "iconv-lite", "pino-pretty", "saxes", "vdisk"];

const { metafile } = await build({
  entryPoints: programs.map((program) => `dist/${program}`),
  outdir: "dist",
  outbase: "dist",
  allowOverwrite: true,
  bundle: true,
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  format: "esm",
  platform: "node",
  external,
  // Packages of the older kind ask for Node's modules by require.
  banner: {
    js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);',
  },
  sourcemap: true,
  logLevel: "warning",
  metafile: true,
});

const inputs = Object.keys(metafile.inputs);
const folders = new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []));
const licences = [];
for (const folder of [...folders].sort()) {
  const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined)
    throw new Error(`${folder} has no licence to go with it: leave it out of the bundle`);
  const text = await readFile(join(folder, file), "utf8");
  licences.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
}
await writeFile("dist/LICENSES.txt", licences.join(`\n${"-".repeat(72)}\n\n`));

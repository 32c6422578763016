/**
 * Bundles each of the built programs in dist/ to one file, with chunks for the code that they share: Node loads twenty files
 * faster than 350. The licences of packages that the bundles contain are written to dist/LICENSES.txt.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const programs = ["cli/main.js", "cli/vboximg-mount/main.js", "mount/daemon.js"];
/** Not bundled: they find their own files by their path, or are large and seldom needed; saxes has no licence file. */
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
  // CommonJS packages load Node's modules with require.
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

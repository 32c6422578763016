/** The package that this is a part of, whether it runs from src, from dist or from a bundle in it. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const manifest = require.resolve("vdisk/package.json");

/** The path of a file of the package. */
export function packageFile(name: string): string {
  return join(dirname(manifest), name);
}

/** The package's version; read when it is asked for. */
export function packageVersion(): string {
  return (require(manifest) as { version: string }).version;
}

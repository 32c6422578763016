/** Files of the package `vdisk`, whether this code runs from src, from dist or from a bundle in dist. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** Returns the path of a file of the package. @throws {Error} if this code was copied into another package. */
export function packageFile(name: string): string {
  return join(dirname(require.resolve("vdisk/package.json")), name);
}

/** Returns the package's version. */
export function packageVersion(): string {
  return (require(packageFile("package.json")) as { version: string }).version;
}

/** The package that this is a part of, whether it runs from src, from dist or from a bundle in it. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** The path of a file of the package. @throws {Error} where this has been put into another package. */
export function packageFile(name: string): string {
  return join(dirname(require.resolve("vdisk/package.json")), name);
}

/** The package's version. */
export function packageVersion(): string {
  return (require(packageFile("package.json")) as { version: string }).version;
}

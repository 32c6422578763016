/** The images of images/cases: small, each with something that a reader may get wrong. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { ROOT } from "./command.js";

const CASES = join(ROOT, "images/cases");

/** The images of a group, as "odd/plain-ext.img". */
export function casesOf(group: "odd" | "hostile"): string[] {
  return readdirSync(join(CASES, group)).map((name) => `${group}/${name.replace(/\.xz$/, "")}`);
}

/** Unpacks a case, with holes, into a folder that is removed at the test's end; gives the image's path. */
export function unpackCase(t: Test, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), "vdisk-case-"));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, name.replace(/^.*\//, ""));
  execFileSync("sh", [
    "-c",
    'xz -dc "$0" | cp --sparse=always /dev/stdin "$1"',
    join(CASES, `${name}.xz`),
    path,
  ]);
  return path;
}

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { attempt } from "./command.js";

/** An empty directory that is unmounted and removed at the test's end. */
export function place(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "vdisk-mount-"));
  chmodSync(folder, 0o755);
  t.teardown(() => {
    attempt("umount", "-l", folder);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

import { chmodSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { run } from "./command.js";

/** An empty directory that is unmounted and removed at the test's end. */
export function place(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "vdisk-mount-"));
  chmodSync(folder, 0o755);
  t.teardown(async () => {
    // Not synchronous: umount(8) calls stat(2), which this process must answer if it serves the mount itself.
    await run("umount", ["-l", folder]);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

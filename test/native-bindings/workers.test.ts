/** The addon in workers that are terminated at random moments: see workers.mjs. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { text } from "node:stream/consumers";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";

/** Seconds of each test. The environment variable makes it longer. */
const SECONDS = process.env["VDISK_WORKER_SECONDS"] ?? "6";

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface Counts {
  readonly terminated: number;
  readonly mounted: number;
  readonly reads: number;
}

async function run(t: Test, ...more: string[]): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), "vdisk-workers-"));
  t.teardown(() => {
    for (const place of [0, 1, 2, 3]) if (more.length > 0) rmdirSync(join(folder, `mount-${place}`));
    rmSync(folder, { recursive: true });
  });
  const seed = String(Date.now() % 1_000_000);
  const args = [file("workers.mjs"), file("../../images/web/web.vdi"), folder, SECONDS, seed, ...more];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const [said, complained, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit") as Promise<[number | null, string | null]>,
  ]);
  t.equal(complained, "", `seed ${seed}`);
  t.same([code, signal], [0, null], `seed ${seed}`);
  t.comment(said.trim());
  return JSON.parse(said) as Counts;
}

t.test("workers that read images may be terminated at any moment", async (t) => {
  const { terminated, reads } = await run(t);
  t.ok(terminated >= 8 && reads > 5, `${terminated} terminated, ${reads} reads of the main thread`);
});

t.test(
  "workers that serve a mount may be terminated at any moment; readers of the mount then get an error",
  async (t) => {
    const { terminated, mounted } = await run(t, "mount");
    t.ok(terminated >= 8 && mounted > 0, `${terminated} terminated, of which ${mounted} had mounted`);
  },
);

/** Running a test's subject while another program exchanges file names under it (swapper.c). */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";

/**
 * Calls `run` again and again for `seconds`, while each of `names` is exchanged with the one after it.
 * @returns how often each result came.
 */
export async function underAttack(
  t: Test,
  names: readonly string[],
  seconds: number,
  run: () => Promise<string>,
): Promise<Map<string, number>> {
  const program = join(t.testdirName, "swapper");
  execFileSync("cc", ["-O1", "-o", program, fileURLToPath(new URL("swapper.c", import.meta.url))]);
  const adversary = spawn(program, names, { stdio: ["pipe", "pipe", "inherit"] });
  await once(adversary.stdout, "data");
  const outcomes = new Map<string, number>();
  for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
    const outcome = await run();
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  adversary.stdin.end();
  await once(adversary, "exit");
  return outcomes;
}

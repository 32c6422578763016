/** Running a test's subject while another program exchanges file names under it (swapper.c). */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";

/** More than so often each of the needed outcomes is seen. */
const NEEDED = 5;
/** Milliseconds beyond the attack's length in which that must have happened. */
const PATIENCE = 60_000;

/**
 * Calls `run` again and again for `seconds`, while each of `names` is exchanged with the one after it.
 * @returns how often each result came.
 */
export async function underAttack(
  t: Test,
  names: readonly string[],
  seconds: number,
  run: () => Promise<string>,
  needed: readonly string[] = [],
): Promise<Map<string, number>> {
  const program = join(t.testdirName, "swapper");
  execFileSync("cc", ["-O1", "-o", program, fileURLToPath(new URL("swapper.c", import.meta.url))]);
  const adversary = spawn(program, names, { stdio: ["pipe", "pipe", "inherit"] });
  await once(adversary.stdout, "data");
  const outcomes = new Map<string, number>();
  const end = Date.now() + seconds * 1000;
  const isEnough = (): boolean => needed.every((outcome) => (outcomes.get(outcome) ?? 0) > NEEDED);
  // A busy machine takes longer until each outcome has been seen.
  while (Date.now() < end || (!isEnough() && Date.now() < end + PATIENCE)) {
    const outcome = await run();
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  adversary.stdin.end();
  await once(adversary, "exit");
  return outcomes;
}

/** The choice of a backend. */
import { UnsupportedError } from "../errors.js";
import type { FuseBackend } from "./backend.js";
import { fuseNativeBackend } from "./fuse-native/fuse-native.js";
import { nativeBackend } from "./native/native.js";

/** All backends, in the order of `backendNames`. */
export const backends: readonly FuseBackend[] = [nativeBackend, fuseNativeBackend];

export type BackendChoice = "auto" | FuseBackend["name"];

/**
 * Returns the chosen backend, or with "auto" the first that can serve here, and a line for the log: why
 * it is this one, and not an earlier one.
 * @throws {UnsupportedError} if none of them can serve here, with the reasons.
 */
export async function selectBackend(choice: BackendChoice): Promise<{ backend: FuseBackend; why: string }> {
  const problems: string[] = [];
  const reasons: string[] = [];
  for (const backend of backends) {
    if (choice !== "auto" && choice !== backend.name) continue;
    const problem = await backend.unavailable();
    if (problem === undefined) {
      if (choice !== "auto") return { backend, why: "asked for by --fuse-backend" };
      return { backend, why: [`served by ${backend.name}`, ...problems].join("; not by ") };
    }
    problems.push(`${backend.name}: ${problem}`);
    reasons.push(problem);
  }
  throw new UnsupportedError(`nothing can be mounted here: ${[...new Set(reasons)].join("; ")}`);
}

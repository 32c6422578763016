/** Which backend serves. */
import { UnsupportedError } from "../errors.js";
import type { FuseBackend } from "./backend.js";
import { fuseNativeBackend } from "./fuse-native/fuse-native.js";
import { nativeBackend } from "./native/native.js";

/** In the order of their names in backend.ts. */
export const backends: readonly FuseBackend[] = [nativeBackend, fuseNativeBackend];

export type BackendChoice = "auto" | FuseBackend["name"];

/**
 * The backend of choice, and one line that says which it is, and why where it is not the first.
 * @throws {UnsupportedError} where it, or with "auto" none of them, can serve here; it says why.
 */
export async function selectBackend(choice: BackendChoice): Promise<{ backend: FuseBackend; why: string }> {
  const problems: string[] = [];
  const reasons: string[] = [];
  for (const backend of backends) {
    if (choice !== "auto" && choice !== backend.name) continue;
    const problem = await backend.unavailable();
    if (problem === undefined) {
      return { backend, why: [`served by ${backend.name}`, ...problems].join("; not by ") };
    }
    problems.push(`${backend.name}: ${problem}`);
    reasons.push(problem);
  }
  throw new UnsupportedError(`nothing can be mounted here: ${[...new Set(reasons)].join("; ")}`);
}

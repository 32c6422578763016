/** The user's home folder, which need not exist: containers run programs with a user id that has no name. */
import { homedir } from "node:os";
import { isAbsolute } from "node:path";
import { isErrnoException } from "../errors.js";

/** `$HOME`, or what the password file has; undefined where neither is an absolute path. */
export function homeFolder(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch (error) {
    if (isErrnoException(error)) return undefined; // the user id has no entry in the password file
    throw error;
  }
}

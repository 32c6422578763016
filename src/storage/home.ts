/** The user's home folder. There may be none: in a container, the user id may have no entry in the password file. */
import { homedir } from "node:os";
import { isAbsolute } from "node:path";
import { isErrnoException } from "../errors.js";

/** Returns `$HOME`, or the folder in the password file; undefined if neither is an absolute path. */
export function homeFolder(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch (error) {
    if (isErrnoException(error)) return undefined; // the user id has no entry in the password file
    throw error;
  }
}

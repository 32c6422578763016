/** Warnings about images that may be written to while they are read. */
import { printUser, usersOf, type FileUser } from "../storage/users.js";

/** A sentence about each program that may write to any of the images `paths`. */
export function inUseWarnings(paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  const byProgram = new Map<string, FileUser[]>();
  for (const user of usersOf(paths)) {
    const who = `${printUser(user)} has ${user.how === "locked" ? "locked it" : "it open for writing"}`;
    byProgram.set(who, [...(byProgram.get(who) ?? []), user]);
  }
  return [...byProgram].map(([who, [first, ...rest]]) => {
    const others = rest.length === 0 ? "" : `, and ${rest.length} more images of the chain`;
    return `${first!.path}: ${who}${others}: the disk changes while it is read, so what is shown may be inconsistent (--allow-live silences this)`;
  });
}

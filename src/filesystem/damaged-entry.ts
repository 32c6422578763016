/**
 * How a directory shows one damaged entry. The entry is listed under a name that states the damage, and a look-up of
 * that name fails with the reason. So a copy of the directory takes every sound entry and still ends with an error.
 */
import type { NodeId } from "./filesystem.js";

/** Stands for the node number of a damaged entry: no node has it. */
export const NO_NODE: NodeId = 0;

const PREFIX = "damaged-directory-entry-0x";
const PATTERN = new RegExp(`^${PREFIX}([0-9a-f]{1,14})$`);

/** The name of the damaged entry at `position`, in bytes from the start of its directory. */
export function damagedEntryName(position: number): Buffer {
  return Buffer.from(PREFIX + position.toString(16));
}

/** The position that `name` states, or undefined if it is not the name of a damaged entry. */
export function damagedEntryPosition(name: Buffer): number | undefined {
  const digits = PATTERN.exec(name.toString("latin1"))?.[1];
  if (digits === undefined) return undefined;
  const position = Number.parseInt(digits, 16);
  return Number.isSafeInteger(position) ? position : undefined;
}

/** What all decoders have to say of damage. */
import { CorruptError } from "../../errors.js";

/** Where packed bytes come from, for complaints. They may lie in several runs: `offset` is that of the first. */
export interface Place {
  readonly file: string;
  /** Absolute byte within `file`. */
  readonly offset?: number;
}

/** Packed bytes that contradict their format: `thing` is what went wrong, `at` the byte within the packed ones. */
export function damaged(
  place: Place,
  thing: string,
  at: number,
  found: string,
  expected: string,
): CorruptError {
  return new CorruptError({ ...place, thing: `${thing} (packed byte ${at})`, found, expected });
}

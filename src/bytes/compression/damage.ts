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

/** The packed bytes of `codec` end, at `at`, where more should follow. */
export function endsEarly(place: Place, codec: string, at: number): CorruptError {
  return damaged(place, `${codec} chunk's end`, at, "before its last symbol", "after it");
}

/** The errors of all decoders. */
import { CorruptError } from "../../errors.js";

/** Where packed bytes lie, for error messages. If they lie in several runs, `offset` is that of the first. */
export interface Place {
  readonly file: string;
  /** Absolute byte within `file`. */
  readonly offset?: number;
}

/** The error for packed bytes that contradict their format. `thing` is what is wrong, at byte `at` of the packed bytes. */
export function damaged(
  place: Place,
  thing: string,
  at: number,
  found: string,
  expected: string,
): CorruptError {
  return new CorruptError({ ...place, thing: `${thing} (packed byte ${at})`, found, expected });
}

/** The error for packed bytes that end too early, at byte `at`. */
export function endsEarly(place: Place, codec: string, at: number): CorruptError {
  return damaged(place, `${codec} chunk's end`, at, "before its last symbol", "after it");
}

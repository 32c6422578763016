/** What is said of one input that shows something wrong. */
import { DiskError } from "../../src/errors.js";
import { Finding, signatureOf, type FindingKind } from "./finding.js";
import type { Target } from "./target.js";

export interface Report {
  readonly kind: FindingKind;
  /** See `signatureOf`. */
  readonly signature: string;
  /** See `Target.label`. */
  readonly label: string;
  readonly message: string;
  /** As its target makes them. */
  readonly input: unknown;
}

export function reportOf(error: unknown, target: Target<unknown>, input: unknown): Report {
  const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    kind: error instanceof Finding ? error.kind : "fault",
    signature: signatureOf(error),
    label: target.label(input),
    message: error instanceof DiskError ? `a DiskError where none may be: ${said}` : said,
    input,
  };
}

/** What the campaign looks for, and what it keeps of what it finds. */

/**
 * "fault": an exception that is no DiskError. "hang": more than a second of the processor. "held": the event loop was
 * held for more than 100 ms. "memory": more than 300 MB. "silent": other bytes than before, without an error, where a
 * checksum covers them. "ended": the process ended by itself. "stuck": an answer never came.
 */
export type FindingKind = "fault" | "hang" | "held" | "memory" | "silent" | "ended" | "stuck";

/** Milliseconds of the processor that one input may take. */
export const HANG = 1000;
/** Milliseconds for which one operation may hold the event loop. */
export const HELD = 100;
/** Bytes that a process may have that opens nothing but one input. */
export const MEMORY = 300 * 2 ** 20;

/** Thrown where an input shows something wrong; `message` says what. */
export class Finding extends Error {
  constructor(
    readonly kind: FindingKind,
    message: string,
  ) {
    super(message);
    this.name = "Finding";
  }
}

/** What was found, by what it looks like: two findings of one cause have the same, as a rule. */
export function signatureOf(error: unknown): string {
  if (error instanceof Finding) return `${error.kind} ${withoutNumbers(error.message)}`;
  if (!(error instanceof Error)) return `fault ${String(error)}`;
  const frame = error.stack?.split("\n").find((line) => line.includes("/src/")) ?? "";
  const place = /\/src\/([^:)]+):(\d+)/.exec(frame);
  const where = place === null ? "" : ` at ${place[1]}:${place[2]}`;
  return `fault ${error.name}: ${withoutNumbers(error.message)}${where}`;
}

function withoutNumbers(text: string): string {
  return text
    .split("\n")[0]!
    .replace(/0x[0-9a-f]+|\d+/g, "N")
    .slice(0, 120);
}

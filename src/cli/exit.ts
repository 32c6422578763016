/** Errors of commands: one line on standard error for each problem, and an exit code (from sysexits.h, if it has one). */
import { printSentence } from "../bytes/text.js";
import { DiskError, isErrnoException, UsageError } from "../errors.js";
import { withHelpHint } from "./usage.js";

export { UsageError };

export const ExitCode = {
  done: 0,
  usage: 64,
  corrupt: 65,
  missing: 66,
  unsupported: 69,
  bug: 70,
  host: 74,
  denied: 77,
} as const;

/** Messages that are remembered, so that none is printed twice. Nobody reads as many. */
const REMEMBERED_LIMIT = 10_000;

const reported = new Set<string>();

/** Prints `error` on standard error, unless it has been printed before. Returns the exit code for it. */
export function reportError(error: unknown, program = "vdisk"): number {
  if (!(error instanceof DiskError)) return reportOther(error, program);
  if (!isReported(error)) {
    markReported(error);
    printDiagnostic(program, printSentence(error.message));
  }
  return exitCodeOf(error);
}

/** Prints an error after which the command continues, and sets the exit code for its end. */
export function reportAndContinue(error: unknown): void {
  setExitCode(reportError(error));
}

/** Sets the exit code, unless an earlier problem has set it. A bug replaces all other codes. */
export function setExitCode(code: number): void {
  if (code === ExitCode.bug || (process.exitCode ?? ExitCode.done) === ExitCode.done) process.exitCode = code;
}

/** Whether `error`, or the error that it adds context to, has been printed. */
export function isReported(error: Error): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (reported.has(at.message)) return true;
  return false;
}

/** Remembers `error` and its causes as printed. */
export function markReported(error: unknown): void {
  if (reported.size >= REMEMBERED_LIMIT) reported.clear();
  for (let at = error; at instanceof DiskError; at = at.cause) reported.add(at.message);
}

/** Returns the exit code for a DiskError. */
export function exitCodeOf({ code }: Pick<DiskError, "code">): number {
  return {
    CORRUPT: ExitCode.corrupt,
    MISSING: ExitCode.missing,
    UNSUPPORTED: ExitCode.unsupported,
    DENIED: ExitCode.denied,
    HOST: ExitCode.host,
  }[code];
}

/** Prints a wrong command line, or a bug. */
function reportOther(error: unknown, program: string): number {
  if (isErrnoException(error) && error.syscall === "uv_cwd") {
    printDiagnostic(program, "the current folder does not exist any more; change to another one");
    return ExitCode.missing;
  }
  if (error instanceof UsageError || (error instanceof Error && error.name === "YError")) {
    const message = error.message
      .trim()
      .replaceAll(/:\s*\n\s*/g, ": ")
      .replaceAll(/\s*\n\s*/g, "; ");
    printDiagnostic(program, printSentence(withHelpHint(new UsageError(message), program).message));
    return ExitCode.usage;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  printDiagnostic(program, `this is a bug in vdisk, please report it: ${stack}`);
  return ExitCode.bug;
}

/** Prints one line on standard error, after the name of `program`. */
export function printDiagnostic(program: string, message: string): void {
  process.stderr.write(`${program}: ${message}\n`);
}

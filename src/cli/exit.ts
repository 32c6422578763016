/** How a command ends: one line on standard error for each problem, and an exit code (sysexits.h where it has one). */
import { printSentence } from "../bytes/text.js";
import { DiskError, isErrnoException, UsageError } from "../errors.js";

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

/** Messages that are remembered so that none is printed twice: more than anybody reads. */
const REMEMBERED_LIMIT = 10_000;

const reported = new Set<string>();

/** Reports `error` on standard error, once however often it comes, and returns the exit code for it. */
export function reportError(error: unknown, program = "vdisk"): number {
  if (!(error instanceof DiskError)) return reportOther(error, program);
  if (!isReported(error)) {
    markReported(error);
    tell(program, printSentence(error.message));
  }
  return exitCodeOf(error);
}

/** Reports a problem after which the command goes on; the exit code is that of the first, or of a bug. */
export function reportAndContinue(error: unknown): void {
  setExitCode(reportError(error));
}

/** Keeps `code` for the end of the command, unless another problem came first; a bug outranks all. */
export function setExitCode(code: number): void {
  if (code === ExitCode.bug || (process.exitCode ?? ExitCode.done) === ExitCode.done) process.exitCode = code;
}

/** Whether `error` has been reported, with whatever context. */
export function isReported(error: Error): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (reported.has(at.message)) return true;
  return false;
}

/** Remembers that `error`, and the errors that caused it, need not be reported any more. */
export function markReported(error: unknown): void {
  if (reported.size >= REMEMBERED_LIMIT) reported.clear();
  for (let at = error; at instanceof DiskError; at = at.cause) reported.add(at.message);
}

/** The exit code for an error that a disk, or the host, gives reason to. */
export function exitCodeOf({ code }: Pick<DiskError, "code">): number {
  return {
    CORRUPT: ExitCode.corrupt,
    MISSING: ExitCode.missing,
    UNSUPPORTED: ExitCode.unsupported,
    DENIED: ExitCode.denied,
    HOST: ExitCode.host,
  }[code];
}

/** Reports a wrong command line, or a bug. */
function reportOther(error: unknown, program: string): number {
  if (isErrnoException(error) && error.syscall === "uv_cwd") {
    tell(program, "the current folder does not exist any more; cd to another");
    return ExitCode.missing;
  }
  if (error instanceof UsageError || (error instanceof Error && error.name === "YError")) {
    const message = error.message
      .trim()
      .replaceAll(/:\s*\n\s*/g, ": ")
      .replaceAll(/\s*\n\s*/g, "; ");
    tell(program, printSentence(message.includes("--help") ? message : `${message}; see ${program} --help`));
    return ExitCode.usage;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  tell(program, `this is a bug in vdisk, please report it: ${stack}`);
  return ExitCode.bug;
}

/** Prints one line of `program` on standard error. */
export function tell(program: string, message: string): void {
  process.stderr.write(`${program}: ${message}\n`);
}

/** How a command ends: one line on standard error, and an exit code (sysexits.h where it has one). */
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

/** Says what went wrong in `program`, and answers the exit code for it. */
export function complain(error: unknown, program = "vdisk"): number {
  const say = (message: string): void => {
    tell(program, message);
  };
  if (error instanceof DiskError) {
    say(printSentence(error.message));
    return {
      CORRUPT: ExitCode.corrupt,
      MISSING: ExitCode.missing,
      UNSUPPORTED: ExitCode.unsupported,
      DENIED: ExitCode.denied,
      HOST: ExitCode.host,
    }[error.code];
  }
  if (isErrnoException(error) && error.syscall === "uv_cwd") {
    say("the folder that you are in does not exist any more; cd to another");
    return ExitCode.missing;
  }
  if (error instanceof UsageError || (error instanceof Error && error.name === "YError")) {
    const message = error.message
      .trim()
      .replaceAll(/:\s*\n\s*/g, ": ")
      .replaceAll(/\s*\n\s*/g, "; ");
    say(printSentence(message.includes("--help") ? message : `${message}; see ${program} --help`));
    return ExitCode.usage;
  }
  say(
    `this is a fault of vdisk itself, please report it: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  return ExitCode.bug;
}

/** One line of `program` on standard error. */
export function tell(program: string, message: string): void {
  process.stderr.write(`${program}: ${message}\n`);
}

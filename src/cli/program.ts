/** What both programs, vdisk and vboximg-mount, share: parsing the command line, errors, exit codes. */
import type { CommandModule } from "yargs";
import { fromHost } from "../errors.js";
import { reportError, ExitCode } from "./exit.js";

/** The command that yargs chose. It is thrown, since yargs would format its whole help text when a handler returns. */
class Chosen extends Error {
  readonly work: () => unknown;

  constructor(work: () => unknown) {
    super("a command is chosen");
    this.work = work;
  }
}

/** Replaces yargs' messages about a wrong command line. */
export const WORDING = {
  "Not enough non-option arguments: got %s, need at least %s": {
    one: "an argument is missing: %s given, %s needed; --help lists them",
    other: "arguments are missing: %s given, %s needed; --help lists them",
  },
  "Too many non-option arguments: got %s, maximum of %s": {
    one: "too many arguments: %s given, at most %s taken; --help lists them",
    other: "too many arguments: %s given, at most %s taken; --help lists them",
  },
  "Unknown argument: %s": {
    one: "unknown option or argument: %s; --help lists them",
    other: "unknown options or arguments: %s; --help lists them",
  },
  "Unknown command: %s": {
    one: "unknown command: %s; --help lists them",
    other: "unknown commands: %s; --help lists them",
  },
  "Not enough arguments following: %s": "the option %s needs a value",
  "Did you mean %s?": "there is no such command; did you mean %s?",
} as unknown as Record<string, string>;

/** Returns `command` with a handler that only remembers its work. `runChosen` does the work after parsing. */
export function deferred<T>(command: CommandModule<object, T>): CommandModule<object, T> {
  return {
    ...command,
    handler: (argv) => {
      throw new Chosen(() => command.handler(argv));
    },
  };
}

/** Parses the command line with `parse`, then runs the deferred command that it chose. */
export async function runChosen(parse: () => Promise<unknown>): Promise<void> {
  try {
    await parse();
  } catch (error) {
    if (!(error instanceof Chosen)) throw error;
    await error.work();
  }
}

/** Runs `body` as the program `name`. Prints its error and sets the exit code. */
export async function runProgram(name: string, body: () => Promise<unknown>): Promise<void> {
  // A reader that ends early (`vdisk cat … | head`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(ExitCode.done);
    process.exit(reportError(fromHost(error, "standard output"), name));
  });
  // An error of standard error itself cannot be printed.
  process.stderr.on("error", () => undefined);
  try {
    await body();
  } catch (error) {
    process.exitCode = reportError(error, name);
  }
}

/**
 * Joins `--option "- value"` to one argument. yargs would take the value for an option, since it begins with a dash. But no
 * option begins with a dash and a space, and a snapshot's name may.
 */
export function withDashedValues(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const last = joined.at(-1);
    if (arg.startsWith("- ") && last !== undefined && /^--[a-z-]+$/.test(last))
      joined[joined.length - 1] = `${last}=${arg}`;
    else joined.push(arg);
  }
  return joined;
}

/** Removes "--", since yargs passes nothing behind it to a command, and adds "./" to names behind it that begin with a dash. */
export function withoutDoubleDash(args: readonly string[]): string[] {
  const at = args.indexOf("--");
  if (at < 0) return [...args];
  const hide = (name: string): string => (name.startsWith("-") ? `./${name}` : name);
  return [...args.slice(0, at), ...args.slice(at + 1).map(hide)];
}

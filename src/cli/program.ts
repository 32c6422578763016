/** What the commands have in common: parsing, errors, exit codes. */
import type { CommandModule } from "yargs";
import { fromHost } from "../errors.js";
import { reportError, ExitCode } from "./exit.js";

/** The chosen command. It is thrown, since yargs formats its whole help text after a handler that returns. */
class Chosen extends Error {
  readonly work: () => unknown;

  constructor(work: () => unknown) {
    super("a command is chosen");
    this.work = work;
  }
}

/** What yargs says of a command line that is wrong, in our words. */
export const WORDING = {
  "Not enough non-option arguments: got %s, need at least %s": {
    one: "an argument is missing: %s given, %s needed; --help shows them",
    other: "arguments are missing: %s given, %s needed; --help shows them",
  },
  "Too many non-option arguments: got %s, maximum of %s": {
    one: "too many arguments: %s given, at most %s taken; --help shows them",
    other: "too many arguments: %s given, at most %s taken; --help shows them",
  },
  "Unknown argument: %s": {
    one: "there is no option or argument %s; --help shows them",
    other: "there are no options or arguments %s; --help shows them",
  },
  "Unknown command: %s": {
    one: "there is no command %s; --help shows them",
    other: "there are no commands %s; --help shows them",
  },
  "Not enough arguments following: %s": "the option %s needs a value",
  "Did you mean %s?": "there is no such command; did you mean %s?",
} as unknown as Record<string, string>;

/** `command` without its work, which `runChosen` does after parsing. */
export function deferred<T>(command: CommandModule<object, T>): CommandModule<object, T> {
  return {
    ...command,
    handler: (argv) => {
      throw new Chosen(() => command.handler(argv));
    },
  };
}

/** Parses the command line with `parse`, then does the work of the deferred command that it chose. */
export async function runChosen(parse: () => Promise<unknown>): Promise<void> {
  try {
    await parse();
  } catch (error) {
    if (!(error instanceof Chosen)) throw error;
    await error.work();
  }
}

/** Runs `body`, and ends the process `name` with the exit code of what went wrong in it. */
export async function runProgram(name: string, body: () => Promise<unknown>): Promise<void> {
  // A reader that has seen enough (`vdisk cat … | head`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(ExitCode.done);
    process.exit(reportError(fromHost(error, "standard output"), name));
  });
  // An error of standard error itself cannot be reported.
  process.stderr.on("error", () => undefined);
  try {
    await body();
  } catch (error) {
    process.exitCode = reportError(error, name);
  }
}

/**
 * Joins `--option "- value"` to one argument: yargs takes what begins with a dash for an option, but no option begins with
 * a dash and a space, and a snapshot's name may.
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

/** yargs passes nothing behind "--" to a command; a leading dash is hidden from it there instead. */
export function withoutDoubleDash(args: readonly string[]): string[] {
  const at = args.indexOf("--");
  if (at < 0) return [...args];
  const hide = (name: string): string => (name.startsWith("-") ? `./${name}` : name);
  return [...args.slice(0, at), ...args.slice(at + 1).map(hide)];
}

/** What both programs, vdisk and vboximg-mount, share: parsing the command line, errors, exit codes. */
import type { Argv, CommandModule } from "yargs";
import { fromHost, UsageError } from "../errors.js";
import { reportError, ExitCode } from "./exit.js";
import { usageError, withHelpHint, type CommandLine } from "./usage.js";

/** The command that yargs chose. It is thrown, since yargs would format its whole help text when a handler returns. */
class Chosen extends Error {
  readonly pattern: string;
  readonly work: () => unknown;

  constructor(pattern: string, work: () => unknown) {
    super("a command is chosen");
    this.pattern = pattern;
    this.work = work;
  }
}

/**
 * Returns `command` with a handler that only remembers its work. `runChosen` does the work after parsing.
 * @param recognised called with the command's pattern as soon as the command line is known to be of this command.
 */
export function deferred<T>(
  command: CommandModule<object, T>,
  recognised: (pattern: string) => void,
): CommandModule<object, T> {
  const pattern = [command.command ?? ""].flat()[0]!;
  const { builder } = command;
  return {
    ...command,
    builder: (args: Argv) => {
      recognised(pattern);
      return (typeof builder === "function" ? builder(args) : args) as Argv<T>;
    },
    handler: (argv) => {
      throw new Chosen(pattern, () => command.handler(argv));
    },
  };
}

/** Parses the command line of `program` with `parse`, then runs the deferred command that it chose. */
export async function runChosen(program: string, parse: () => Promise<unknown>): Promise<void> {
  try {
    await parse();
  } catch (error) {
    if (!(error instanceof Chosen)) throw error;
    try {
      await error.work();
    } catch (problem) {
      throw problem instanceof UsageError ? withHelpHint(problem, program, error.pattern) : problem;
    }
  }
}

/** For yargs' `fail`: returns the error to throw for its message, or for an error that it caught. */
export function failureOf(message: string | null, error: Error | undefined, line: CommandLine): Error {
  const isUsage = error === undefined || error instanceof UsageError || error.name === "YError";
  if (!isUsage) return error;
  return usageError(error?.message ?? message ?? "the command line is not understood", line);
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

/** Returns `NAME --help` for `help NAME`, if NAME is one of `commands`; `--help` for `help` alone. */
export function withHelpCommand(args: readonly string[], commands: readonly string[]): string[] {
  const [help, name, ...rest] = args;
  if (help !== "help") return [...args];
  if (name === undefined) return ["--help"];
  return commands.includes(name) ? [name, "--help"] : [name, ...rest];
}

/** What every command of ours begins and ends with. */
import type { CommandModule } from "yargs";
import { fromHost } from "../errors.js";
import { complain, ExitCode } from "./exit.js";

/**
 * `command`, but for its work, which is handed to `start` once the command line is understood: yargs lays out all the
 * help there is whenever a command does not end at once.
 */
export function deferred<T>(
  command: CommandModule<object, T>,
  start: (work: () => unknown) => void,
): CommandModule<object, T> {
  return {
    ...command,
    handler: (argv) => {
      start(() => command.handler(argv));
    },
  };
}

/** Runs `body`, and ends the process `name` with the exit code of what went wrong in it. */
export async function runProgram(name: string, body: () => Promise<unknown>): Promise<void> {
  // A reader that has seen enough (`vdisk cat … | head`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(ExitCode.done);
    process.exit(complain(fromHost(error, "standard output"), name));
  });
  // Nobody hears what could be said about it.
  process.stderr.on("error", () => undefined);
  try {
    await body();
  } catch (error) {
    process.exitCode = complain(error, name);
  }
}

/** yargs gives a command nothing of what stands behind "--": there, a leading dash is hidden from it instead. */
export function withoutDoubleDash(args: readonly string[]): string[] {
  const at = args.indexOf("--");
  if (at < 0) return [...args];
  const hide = (name: string): string => (name.startsWith("-") ? `./${name}` : name);
  return [...args.slice(0, at), ...args.slice(at + 1).map(hide)];
}

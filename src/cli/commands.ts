/** The commands of `vdisk`. */
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { packageVersion } from "../package.js";
import { cat } from "./cat.js";
import { UsageError } from "./exit.js";
import { info } from "./info.js";
import { list } from "./list.js";
import { levels } from "./log.js";
import { ls } from "./ls.js";
import { mountCommand } from "./mount.js";
import {
  deferred,
  failureOf,
  runChosen,
  withDashedValues,
  withHelpCommand,
  withoutDoubleDash,
} from "./program.js";
import { unmountCommand } from "./unmount.js";
import { withHelpHint } from "./usage.js";

const NAME = "vdisk";

const COMMANDS = ["mount", "unmount", "umount", "list", "info", "ls", "cat"];

function parse(): Promise<unknown> {
  let command: string | undefined;
  const recognised = (pattern: string): void => void (command = pattern);
  const args = withDashedValues(withoutDoubleDash(withHelpCommand(hideBin(process.argv), COMMANDS)));
  const parser = yargs(args);
  return parser
    .scriptName(NAME)
    .detectLocale(false) // vdisk's own texts are English, and failureOf expects yargs' in English
    .recommendCommands()
    .usage("vdisk opens a virtual machine's disk without booting the machine.\n\n$0 COMMAND …")
    .command(deferred(mountCommand, recognised))
    .command(deferred(unmountCommand, recognised))
    .command(deferred(list, recognised))
    .command(deferred(info, recognised))
    .command(deferred(ls, recognised))
    .command(deferred(cat, recognised))
    .option("log-level", {
      choices: levels,
      describe: "What to log on standard error, or in a mount's log file",
      defaultDescription: "warn; info for a mount",
    })
    .demandCommand(1, "Which command? See vdisk --help.")
    .strict()
    .parserConfiguration({ "parse-positional-numbers": false, "duplicate-arguments-array": true })
    .version(packageVersion())
    .help()
    .alias({ h: "help", V: "version" })
    .wrap(Math.min(110, process.stdout.columns || 80))
    .fail((message: string | null, error: Error | undefined) => {
      const failure = failureOf(message, error, { command, args, parsed: parser.parsed });
      throw failure instanceof UsageError ? withHelpHint(failure, NAME, command) : failure;
    })
    .parseAsync();
}

/** Runs the command line. @throws {UsageError} if it is wrong; also what the command throws. */
export const runCommand = (): Promise<void> => runChosen(NAME, parse);

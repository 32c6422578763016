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
import { deferred, runChosen, withDashedValues, withoutDoubleDash, WORDING } from "./program.js";
import { unmountCommand } from "./unmount.js";

const parse = (): Promise<unknown> =>
  yargs(withDashedValues(withoutDoubleDash(hideBin(process.argv))))
    .scriptName("vdisk")
    .detectLocale(false) // vdisk's own texts are English
    .updateStrings(WORDING)
    .recommendCommands()
    .usage("vdisk opens a virtual machine's disk without booting the machine.\n\n$0 COMMAND …")
    .command(deferred(mountCommand))
    .command(deferred(unmountCommand))
    .command(deferred(list))
    .command(deferred(info))
    .command(deferred(ls))
    .command(deferred(cat))
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
      throw error ?? new UsageError(message ?? "the command line is not understood");
    })
    .parseAsync();

/** Runs the command line. @throws {UsageError} if it is wrong; also what the command throws. */
export const runCommand = (): Promise<void> => runChosen(parse);

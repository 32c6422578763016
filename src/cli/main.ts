#!/usr/bin/env node
/** The `vdisk` command. */
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { cat } from "./cat.js";
import { packageVersion } from "../package.js";
import { UsageError } from "./exit.js";
import { info } from "./info.js";
import { list } from "./list.js";
import { ls } from "./ls.js";
import { levels } from "./log.js";
import { mountCommand } from "./mount.js";
import { deferred, runProgram, withoutDoubleDash } from "./program.js";
import { unmountCommand } from "./unmount.js";

let work: () => unknown = () => undefined;
const start = (chosen: () => unknown): void => {
  work = chosen;
};

await runProgram("vdisk", async () => {
  await yargs(withoutDoubleDash(hideBin(process.argv)))
    .scriptName("vdisk")
    .usage("vdisk opens a virtual machine's disk without booting the machine.\n\n$0 COMMAND …")
    .command(deferred(mountCommand, start))
    .command(deferred(unmountCommand, start))
    .command(deferred(list, start))
    .command(deferred(info, start))
    .command(deferred(ls, start))
    .command(deferred(cat, start))
    .option("log-level", {
      choices: levels,
      describe: "How much to say on standard error, or in a mount's log",
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
  await work();
});

#!/usr/bin/env node
/** The `vdisk` command. */
import { readFileSync } from "node:fs";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { fromHost } from "../errors.js";
import { cat } from "./cat.js";
import { complain, ExitCode, UsageError } from "./exit.js";
import { info } from "./info.js";
import { list } from "./list.js";
import { ls } from "./ls.js";
import { levels } from "./log.js";
import { mountCommand } from "./mount.js";
import { unmountCommand } from "./unmount.js";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

// A reader that has seen enough (`vdisk cat … | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(ExitCode.done);
  process.exit(complain(fromHost(error, "standard output")));
});
// Nobody hears what could be said about it.
process.stderr.on("error", () => undefined);

try {
  await yargs(withoutDoubleDash(hideBin(process.argv)))
    .scriptName("vdisk")
    .usage("vdisk opens a virtual machine's disk without booting the machine.\n\n$0 COMMAND …")
    .command(mountCommand)
    .command(unmountCommand)
    .command(list)
    .command(info)
    .command(ls)
    .command(cat)
    .option("log-level", {
      choices: levels,
      describe: "How much to say on standard error, or in a mount's log",
      defaultDescription: "warn; info for a mount",
    })
    .demandCommand(1, "Which command? See vdisk --help.")
    .strict()
    .parserConfiguration({ "parse-positional-numbers": false, "duplicate-arguments-array": true })
    .version(version)
    .help()
    .alias({ h: "help", V: "version" })
    .wrap(Math.min(110, process.stdout.columns || 80))
    .fail((message: string | null, error: Error | undefined) => {
      throw error ?? new UsageError(message ?? "the command line is not understood");
    })
    .parseAsync();
} catch (error) {
  process.exitCode = complain(error);
}

/** yargs gives a command nothing of what stands behind "--": there, a leading dash is hidden from it instead. */
function withoutDoubleDash(args: readonly string[]): string[] {
  const at = args.indexOf("--");
  if (at < 0) return [...args];
  const hide = (name: string): string => (name.startsWith("-") ? `./${name}` : name);
  return [...args.slice(0, at), ...args.slice(at + 1).map(hide)];
}

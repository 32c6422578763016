#!/usr/bin/env node
/** The `vboximg-mount` command: has the options, listings and mount directory of VirtualBox's command. */
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { packageVersion } from "../../package.js";
import { UsageError } from "../exit.js";
import { runProgram, withoutDoubleDash, WORDING } from "../program.js";
import { NAME, vboximgMount } from "./command.js";
import { splitShortOptions } from "./short-options.js";

await runProgram(NAME, () =>
  yargs(splitShortOptions(withoutDoubleDash(hideBin(process.argv))))
    .scriptName(NAME)
    .detectLocale(false) // vdisk's own texts are English
    .updateStrings(WORDING)
    .usage(
      "vboximg-mount shows a disk image of a virtual machine, at any snapshot, to the host.\n\n" +
        "$0 -i IMAGE [-g] [-o OPTION,…] MOUNT-POINT\n$0 -l -i IMAGE\n$0 -l [-v | -w] [--vm VM]",
    )
    .command(vboximgMount)
    .strict()
    .parserConfiguration({
      "parse-positional-numbers": false,
      "duplicate-arguments-array": true,
      "boolean-negation": false,
    })
    .version(packageVersion())
    .help()
    .alias("help", ["h", "?"])
    .wrap(Math.min(110, process.stdout.columns || 80))
    .fail((message: string | null, error: Error | undefined) => {
      throw error ?? new UsageError(message ?? "the command line is not understood");
    })
    .parseAsync(),
);

#!/usr/bin/env node
/** The `vboximg-mount` command: has the options, listings and mount directory of VirtualBox's command. */
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { packageVersion } from "../../package.js";
import { failureOf, runProgram, withoutDoubleDash } from "../program.js";
import { NAME, vboximgMount } from "./command.js";
import { splitShortOptions } from "./short-options.js";

await runProgram(NAME, () => {
  const args = splitShortOptions(withoutDoubleDash(hideBin(process.argv)));
  const parser = yargs(args);
  return parser
    .scriptName(NAME)
    .detectLocale(false) // vdisk's own texts are English, and failureOf expects yargs' in English
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
      const { parsed } = parser;
      const isImageGiven = parsed !== false && parsed.argv["image"] !== undefined;
      throw failureOf(message, error, {
        command: NAME,
        args,
        parsed,
        ...(!isImageGiven && { hint: "give the image with -i" }),
      });
    })
    .parseAsync();
});

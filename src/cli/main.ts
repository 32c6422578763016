#!/usr/bin/env node
/** The `vdisk` command. A mount's process takes the longest to begin, so it does before all else is loaded. */
import { beginMount } from "../mount/begin.js";
import { runProgram } from "./program.js";

const [, , command, ...words] = process.argv;
const isElsewhere = words.some((word) => ["-f", "--foreground", "-h", "--help"].includes(word));
if (command === "mount" && !isElsewhere) beginMount(words);
await runProgram("vdisk", async () => {
  const { runCommand } = await import("./commands.js");
  await runCommand();
});

#!/usr/bin/env node
/** The `vdisk` command. A mount's process takes the longest to begin, so it does before all else is loaded. */
import { spawnDaemon } from "../mount/spawn-daemon.js";
import { translateMountHelper } from "./mount-helper.js";
import { runProgram } from "./program.js";

const helperWords = translateMountHelper(process.argv.slice(2));
if (helperWords !== undefined) process.argv.splice(2, Infinity, ...helperWords);
const [, , command, ...words] = process.argv;
const isElsewhere = words.some((word) => ["-f", "--foreground", "-h", "--help"].includes(word));
if (command === "mount" && !isElsewhere) spawnDaemon(words);
await runProgram("vdisk", async () => {
  if (helperWords?.[0] === "remount") {
    const { remount } = await import("../mount/remount.js");
    await remount(helperWords[1]!, helperWords[2]!.split(","));
    return;
  }
  const { runCommand } = await import("./commands.js");
  await runCommand();
});

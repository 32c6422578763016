#!/usr/bin/env node
/** The `vdisk` command. The process that serves a mount starts before anything else is loaded, since that takes longest. */
import { spawnDaemon } from "../mount/spawn-daemon.js";
import { translateMountHelper } from "./mount-helper.js";
import { runProgram } from "./program.js";

const helperArgs = translateMountHelper(process.argv.slice(2));
if (helperArgs !== undefined) process.argv.splice(2, Infinity, ...helperArgs);
const [, , command, ...args] = process.argv;
const needsNoDaemon = args.some((arg) => ["-f", "--foreground", "-h", "--help"].includes(arg));
if (command === "mount" && !needsNoDaemon) spawnDaemon(args);
await runProgram("vdisk", async () => {
  if (helperArgs?.[0] === "remount") {
    const { remount } = await import("../mount/remount.js");
    await remount(helperArgs[1]!, helperArgs[2]!.split(","));
    return;
  }
  const { runCommand } = await import("./commands.js");
  await runCommand();
});

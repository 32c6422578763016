/**
 * The process that serves a mount in the background. Its parent sends the request, which may be longer than an
 * argument can be, hears once, and says that it has. Its first argument is the file that its standard output and error
 * go to; the others are for people who list processes.
 */
import { once } from "node:events";
import { rmSync } from "node:fs";
import { pino } from "pino";
import { DiskError, unlessHostFails } from "../errors.js";
import { serveMount, type MountRequest, type StartedMount } from "./serve.js";

/** What the parent asks for. */
export type DaemonRequest = Omit<MountRequest, "log">;

/** What the daemon tells its parent: that the mount is usable, or why there is none. */
export type DaemonMessage =
  | { readonly kind: "ready"; readonly mount: StartedMount }
  | { readonly kind: "failed"; readonly code: DiskError["code"] | "BUG"; readonly message: string };

if (process.send === undefined) {
  process.stderr.write("this is started by vdisk mount\n");
  process.exit(64);
}
const file = process.argv[2]!;
process.on("SIGHUP", () => undefined); // the terminal it was started from may close
process.once("disconnect", giveUp);
if (!process.connected) giveUp();
const [request] = (await once(process, "message")) as [DaemonRequest];
// Listened for from now on: a message that had to wait for its listener may not disconnect, Node throws then.
const heard = once(process, "message");
// Where its disk is full, the log loses lines, and the mount goes on.
const logFile = pino.destination({ fd: 1, sync: true, maxLength: 2 ** 20 });
logFile.on("error", () => undefined);
const log = pino({ level: request.logLevel, base: null }, logFile);

try {
  await serveMount({ ...request, log: file }, log, (mount) => {
    process.chdir("/"); // the folder that it was started in is free to be unmounted, or removed
    process.send!({ kind: "ready", mount } satisfies DaemonMessage, () => undefined);
    void heard.then(() => {
      process.off("disconnect", giveUp);
      process.disconnect();
    });
  });
} catch (error) {
  log.fatal(error);
  const message = error instanceof Error ? error.message : String(error);
  process.exitCode = 1;
  const code = error instanceof DiskError ? error.code : "BUG";
  // A backend that failed half-way may still keep the process. Where nobody is there any more, this one is ending.
  process.send({ kind: "failed", code, message } satisfies DaemonMessage, () => process.exit());
}

/** Who asked for the mount has ended before he heard of it. */
function giveUp(): void {
  unlessHostFails(() => {
    rmSync(file, { force: true });
  }, undefined); // what stays is removed when it is old (records.ts)
  process.kill(process.pid, "SIGTERM");
}

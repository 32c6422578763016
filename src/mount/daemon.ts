/**
 * The main file of the process that serves a mount in the background. Its parent sends the request as a message, since
 * it may be longer than an argument can be; this process replies with one message, which the parent acknowledges. The
 * first argument is the file of standard output and error; the others have no effect, and are what `ps` shows.
 */
import { once } from "node:events";
import { rmSync } from "node:fs";
import { pino } from "pino";
import { DiskError, unlessHostFails } from "../errors.js";
import { serveMount, type MountRequest, type StartedMount } from "./serve.js";

/** The request of the parent. */
export type DaemonRequest = Omit<MountRequest, "log">;

/** The reply to the parent: the mount is usable, or why there is none. */
export type DaemonMessage =
  | { readonly kind: "ready"; readonly mount: StartedMount }
  | { readonly kind: "failed"; readonly code: DiskError["code"] | "BUG"; readonly message: string };

if (process.send === undefined) {
  process.stderr.write("vdisk mount starts this program; it cannot be run by itself\n");
  process.exit(64);
}
const file = process.argv[2]!;
process.on("SIGHUP", () => undefined); // go on when the terminal is closed
process.once("disconnect", giveUp);
if (!process.connected) giveUp();
const [request] = (await once(process, "message")) as [DaemonRequest];
// Listen now: Node throws if the handler of a message that waited for a listener disconnects.
const acknowledged = once(process, "message");
// If the log's disk is full, the log loses lines and the mount goes on.
const logFile = pino.destination({ fd: 1, sync: true, maxLength: 2 ** 20 });
logFile.on("error", () => undefined);
const log = pino({ level: request.logLevel, base: null }, logFile);

try {
  await serveMount({ ...request, log: file }, log, (mount) => {
    process.chdir("/"); // so that the current folder can be unmounted or removed
    process.send!({ kind: "ready", mount } satisfies DaemonMessage, () => undefined);
    void acknowledged.then(() => {
      process.off("disconnect", giveUp);
      process.disconnect();
    });
  });
} catch (error) {
  log.fatal(error);
  const message = error instanceof Error ? error.message : String(error);
  process.exitCode = 1;
  const code = error instanceof DiskError ? error.code : "BUG";
  // `exit`, since a backend that failed half-way may keep the process alive.
  process.send({ kind: "failed", code, message } satisfies DaemonMessage, () => process.exit());
}

/** Ends this process: its parent has ended before it knew of the mount. */
function giveUp(): void {
  unlessHostFails(() => {
    rmSync(file, { force: true });
  }, undefined); // a log that stays is removed later (records.ts)
  process.kill(process.pid, "SIGTERM");
}

/**
 * The process that serves a mount in the background. Its parent sends the request, which may be longer than an
 * argument can be, and hears once. Its one argument is the mount point, for people who list processes.
 */
import { once } from "node:events";
import { ftruncateSync } from "node:fs";
import { pino } from "pino";
import { DiskError } from "../errors.js";
import { checkMountPoint } from "./place.js";
import { serveMount, type MountRequest, type StartedMount } from "./serve.js";

/** What the daemon tells its parent: that the mount is usable, or why there is none. */
export type DaemonMessage =
  | { readonly kind: "ready"; readonly mount: StartedMount }
  | { readonly kind: "failed"; readonly code: DiskError["code"] | "BUG"; readonly message: string };

process.on("SIGHUP", () => undefined); // the terminal it was started from may close
process.once("disconnect", giveUp);
if (!process.connected) giveUp();
const [request] = (await once(process, "message")) as [MountRequest];
// Standard output is the mount's log file, and still the one of the mount before: where that is none of a mount that is
// being served, it is begun anew. Where its disk is full, the log loses lines, and the mount goes on.
const logFile = pino.destination({ fd: 1, sync: true, maxLength: 2 ** 20 });
logFile.on("error", () => undefined);
const log = pino({ level: request.logLevel, base: null }, logFile);

try {
  await checkMountPoint(request.mountPoint);
  beginLog();
  await serveMount(request, log, (mount) => {
    process.chdir("/"); // the folder that it was started in is free to be unmounted, or removed
    tell({ kind: "ready", mount });
  });
} catch (error) {
  log.fatal(error);
  const message = error instanceof Error ? error.message : String(error);
  process.exitCode = 1;
  // A backend that failed half-way may still keep the process.
  tell({ kind: "failed", code: error instanceof DiskError ? error.code : "BUG", message }, () =>
    process.exit(),
  );
}

function beginLog(): void {
  try {
    ftruncateSync(1);
  } catch {
    // It is no file that has a length: lines are added to it, all the same.
  }
}

/** Who asked for the mount was interrupted before it was there. */
function giveUp(): void {
  process.kill(process.pid, "SIGTERM");
}

function tell(message: DaemonMessage, then?: () => void): void {
  process.off("disconnect", giveUp);
  if (!process.connected) {
    then?.();
    return;
  }
  process.send!(message, () => {
    process.disconnect();
    then?.();
  });
}

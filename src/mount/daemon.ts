/** The process that serves a mount in the background. Its one argument is the request; its parent hears once. */
import { pino } from "pino";
import { DiskError } from "../errors.js";
import { serveMount, type MountRequest } from "./serve.js";
import type { MountRecord } from "./state.js";

/** What the daemon tells its parent: that the mount is usable, or why there is none. */
export type DaemonMessage =
  | { readonly kind: "ready"; readonly record: MountRecord }
  | { readonly kind: "failed"; readonly code: DiskError["code"] | "BUG"; readonly message: string };

const request = JSON.parse(process.argv[2]!) as MountRequest;
// Standard output is the mount's log file. Where its disk is full, the log loses lines, and the mount goes on.
const logFile = pino.destination({ fd: 1, sync: true, maxLength: 2 ** 20 });
logFile.on("error", () => undefined);
const log = pino({ level: request.logLevel, base: null }, logFile);

process.on("SIGHUP", () => undefined); // the terminal it was started from may close
try {
  await serveMount(request, log, (record) => {
    process.chdir("/"); // the folder that it was started in is free to be unmounted, or removed
    tell({ kind: "ready", record });
  });
} catch (error) {
  log.fatal(error);
  const message = error instanceof Error ? error.message : String(error);
  tell({ kind: "failed", code: error instanceof DiskError ? error.code : "BUG", message });
  process.exitCode = 1;
}

function tell(message: DaemonMessage): void {
  if (!process.connected) return;
  process.send!(message, () => {
    process.disconnect();
  });
}

/** The log of a command: JSON lines on standard error, pretty on a terminal. */
import { pino, type Logger } from "pino";
import pretty from "pino-pretty";

export const levels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type Level = (typeof levels)[number];

export function commandLog(level: Level): Logger {
  const destination = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: "pid,hostname,time", colorize: true })
    : pino.destination({ fd: 2, sync: true });
  // What nobody hears is no reason to stop.
  destination.on("error", () => undefined);
  return pino({ level, base: null }, destination);
}

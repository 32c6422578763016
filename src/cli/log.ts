/** The log of a command: JSON lines on standard error, pretty on a terminal. */
import { pino, type Logger } from "pino";
import pretty from "pino-pretty";
import { printSentence } from "../bytes/text.js";

export const levels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type Level = (typeof levels)[number];

export function commandLog(level: Level): Logger {
  const destination = process.stderr.isTTY
    ? pretty({
        destination: 2,
        sync: true,
        ignore: "pid,hostname,time",
        colorize: true,
        messageFormat: (line, key) => printSentence((line[key] as string | undefined) ?? ""),
      })
    : pino.destination({ fd: 2, sync: true });
  return pino({ level, base: null }, destination);
}

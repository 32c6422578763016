/** The log of a command: JSON lines on standard error, pretty on a terminal. */
import { pino, type Logger } from "pino";
import pretty from "pino-pretty";
import { printSentence } from "../bytes/text.js";

export const levels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type Level = (typeof levels)[number];

export function commandLog(level: Level): Logger {
  if (process.stderr.isTTY) {
    const messageFormat = (line: Record<string, unknown>, key: string): string =>
      printSentence((line[key] as string | undefined) ?? "");
    const options = {
      destination: 2,
      sync: true,
      ignore: "pid,hostname,time",
      colorize: true,
      messageFormat,
    };
    return pino({ level, base: null }, pretty(options));
  }
  const destination = pino.destination({ fd: 2, sync: true });
  destination.on("error", () => undefined); // a reader of the log that has gone does not end a mount
  return pino({ level, base: null }, destination);
}

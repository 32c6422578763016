/** The log of a command: JSON lines on standard error, pretty on a terminal. */
import type { Logger } from "pino";
import { printSentence } from "../bytes/text.js";

export const levels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type Level = (typeof levels)[number];

/** Logs a warning. */
export type Warn = (warning: string) => Promise<void>;

/** Returns a function that logs warnings. The logger is loaded with the first warning, since most disks have none. */
export function warningLogger(level: Level = "warn"): Warn {
  let log: Promise<Logger> | undefined;
  return async (warning) => {
    log ??= commandLog(level);
    (await log).warn(warning);
  };
}

export async function commandLog(level: Level): Promise<Logger> {
  const { default: pino } = await import("pino"); // a bundle has only the default export
  if (process.stderr.isTTY) {
    const { default: pretty } = await import("pino-pretty");
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
  destination.on("error", () => undefined); // if the reader of the log ends, the mount goes on
  return pino({ level, base: null }, destination);
}

/** Dates and times as users type them: `2026-03-01`, `2026-03-01T12:00`, with or without a zone. */
import { formatTimestamp, type Timestamp } from "../bytes/time.js";

const FORM = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?(Z|[+-]\d\d:?\d\d)?$/i;

/**
 * Parses `text` to milliseconds since 1970; undefined if it is not a date. A date without a time is the beginning of that
 * day. Without a zone, `text` is in the host's local time.
 */
export function parseDateTime(text: string): number | undefined {
  const [, date, time = "00:00", zone = ""] = FORM.exec(text) ?? [];
  if (date === undefined) return undefined;
  const offset = zone.toUpperCase().replace(/^([+-]\d\d)(\d\d)$/, "$1:$2");
  const moment = Date.parse(`${date}T${time}${offset}`);
  if (Number.isNaN(moment)) return undefined;
  // `Date` accepts the 31st of a short month, as the first of the next month.
  const isDay = new Date(`${date}T00:00Z`).toISOString().startsWith(date);
  return isDay ? moment : undefined;
}

/** Formats a timestamp so that `parseDateTime` accepts it: `2026-03-01T12:00:00Z`. */
export function printDateTime(taken: Timestamp): string {
  return formatTimestamp({ ...taken, nanoseconds: 0 }).replace(".000000000Z", "Z");
}

/** Moments as people write them: `2026-03-01`, `2026-03-01T12:00`, with a zone or by the host's clock. */
import { formatTimestamp, type Timestamp } from "../bytes/time.js";

const FORM = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?(Z|[+-]\d\d:?\d\d)?$/i;

/**
 * Milliseconds since 1970 of the moment that `text` tells; undefined where it tells none. A date alone is the
 * moment at which that day begins; without a zone, the host's is meant.
 */
export function parseDateTime(text: string): number | undefined {
  const [, date, time = "00:00", zone = ""] = FORM.exec(text) ?? [];
  if (date === undefined) return undefined;
  const offset = zone.toUpperCase().replace(/^([+-]\d\d)(\d\d)$/, "$1:$2");
  const moment = Date.parse(`${date}T${time}${offset}`);
  if (Number.isNaN(moment)) return undefined;
  // Date takes the 31st of a short month for the day after its last.
  const isDay = new Date(`${date}T00:00Z`).toISOString().startsWith(date);
  return isDay ? moment : undefined;
}

/** `2026-03-01T12:00:00Z`: as it may be typed again. */
export function printDateTime(taken: Timestamp): string {
  return formatTimestamp({ ...taken, nanoseconds: 0 }).replace(".000000000Z", "Z");
}

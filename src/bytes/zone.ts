/** What a clock on the wall showed, as a moment: for file systems that store local times and no zone. */
import { LRUCache } from "lru-cache";

export interface Zone {
  /** Seconds since 1970 in UTC of the moment at which clocks showed `local`, seconds since 1970 by the clock. */
  readonly toUtc: (local: number) => number;
}

export const UTC: Zone = { toUtc: (local) => local };

/** No zone is further from UTC: +14:00 in Kiribati, -12:00 at the date line. */
const LARGEST_OFFSET_HOURS = 14;

const DAY = 86_400;
/** Seconds within which a zone's offset is taken to be one: every change since 1980 was at a quarter of an hour. */
const QUARTER = 900;
/** Quarters whose offset is remembered. */
const QUARTERS_KEPT = 10_000;

/**
 * The zone called `name`: of the IANA's database ("Europe/Berlin"), or "+02:00". `undefined` where there is none.
 * Where clocks were put back, a time is there twice: the earlier moment is meant. A time that they skipped is as
 * much later as they were put forward.
 */
export function parseZone(name: string): Zone | undefined {
  const fixed = /^([+-])(\d\d):([0-5]\d)$/.exec(name);
  if (fixed !== null) {
    const seconds = (Number(fixed[2]) * 60 + Number(fixed[3])) * 60 * (fixed[1] === "-" ? -1 : 1);
    if (Math.abs(seconds) > LARGEST_OFFSET_HOURS * 3600) return undefined;
    return { toUtc: (local) => local - seconds };
  }
  if (/^[+-]/.test(name)) return undefined;
  const offsetAt = offsetsOf(name);
  if (offsetAt === undefined) return undefined;
  const known = new LRUCache<number, number>({ max: QUARTERS_KEPT });
  return {
    toUtc(local) {
      const quarter = Math.floor(local / QUARTER);
      let offset = known.get(quarter);
      if (offset === undefined) known.set(quarter, (offset = offsetOfLocal(offsetAt, quarter * QUARTER)));
      return local - offset;
    },
  };
}

/** The offset by which `local` is meant: of the earlier moment of two, the one before the change of none. */
function offsetOfLocal(offsetAt: (utc: number) => number, local: number): number {
  const before = offsetAt(local - DAY);
  const after = offsetAt(local + DAY);
  return [before, after].find((offset) => offsetAt(local - offset) === offset) ?? before;
}

/** Seconds that the zone is ahead of UTC, by the moment. */
function offsetsOf(timeZone: string): ((utc: number) => number) | undefined {
  const numeric = "numeric";
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: numeric,
      month: numeric,
      day: numeric,
      hour: numeric,
      minute: numeric,
      second: numeric,
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined; // there is no such zone
  }
  return (utc) => {
    const parts: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(utc * 1000)) parts[type] = Number(value);
    const { year, month, day, hour, minute, second } = parts;
    return Date.UTC(year!, month! - 1, day, hour, minute, second) / 1000 - utc;
  };
}

/** Converts local times to UTC, for file systems that store local times without a zone. */
import { LRUCache } from "lru-cache";

export interface Zone {
  /** Converts `local`, seconds since 1970-01-01 00:00 local time, to seconds since 1970 in UTC. */
  readonly toUtc: (local: number) => number;
}

export const UTC: Zone = { toUtc: (local) => local };

/** The largest difference from UTC: +14:00 in Kiribati (the other end is -12:00). */
const LARGEST_OFFSET_HOURS = 14;

const DAY = 86_400;
/** Seconds in which a zone's offset does not change: all changes since 1980 were at a quarter of an hour. */
const QUARTER = 900;
/** Quarters whose offset is cached. */
const QUARTERS_KEPT = 10_000;

/**
 * Returns the zone `name`: one of the IANA's database ("Europe/Berlin"), or an offset ("+02:00"). Undefined if there is none.
 * When clocks are put back, a local time occurs twice: the first one is used. When clocks are put forward, a local time
 * that they skip is converted with the offset before the change.
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

/** Returns the offset at `local`: if that time occurs twice, the first one; if it is skipped, the one before the change. */
function offsetOfLocal(offsetAt: (utc: number) => number, local: number): number {
  const before = offsetAt(local - DAY);
  const after = offsetAt(local + DAY);
  return [before, after].find((offset) => offsetAt(local - offset) === offset) ?? before;
}

/** Returns a function from UTC to the seconds that the zone is ahead of it. */
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

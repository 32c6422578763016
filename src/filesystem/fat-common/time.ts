/** DOS times: local time, from 1980 to 2107, in steps of two seconds, or of 10 ms where there is a third field. */
import type { Timestamp } from "../../bytes/time.js";
import { parseZone, UTC, type Zone } from "../../bytes/zone.js";
import { UnsupportedError } from "../../errors.js";
import type { FileSystemOptions } from "../filesystem.js";

/**
 * The time zone that the options name; UTC by default.
 * @throws {UnsupportedError} if there is no zone of that name.
 */
export function zoneOf({ timeZone }: FileSystemOptions, file: string): Zone {
  const zone = timeZone === undefined ? UTC : parseZone(timeZone);
  if (zone !== undefined) return zone;
  const expected = 'such as "Europe/Berlin" or "+02:00"';
  throw new UnsupportedError({ file, thing: "the time zone", found: timeZone!, expected });
}

/**
 * The time stamp for a DOS date and time. A field that is out of range counts as its nearest valid value, and a date of 0
 * (never set) as January 1st, 1980, as in Linux (fs/fat/misc.c, fat_time_fat2unix).
 * Source: Microsoft FAT specification (2005), section 6; exFAT specification, sections 7.4.8 and 7.4.9.
 * @param tens hundredths of seconds to add, 0 to 199.
 * @param toUtc converts seconds since 1970 from local time to UTC.
 */
export function dosTime(
  date: number,
  time: number,
  tens: number,
  toUtc: (local: number) => number,
): Timestamp {
  const year = 1980 + (date >>> 9);
  const month = within((date >>> 5) & 0xf, 1, 12);
  const lastDay = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const day = within(date & 0x1f, 1, lastDay);
  const hour = Math.min(time >>> 11, 23);
  const minute = Math.min((time >>> 5) & 0x3f, 59);
  const second = Math.min((time & 0x1f) * 2, 58);
  const local = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  const hundredths = Math.min(tens, 199);
  return {
    seconds: toUtc(local) + Math.floor(hundredths / 100),
    nanoseconds: (hundredths % 100) * 10_000_000,
  };
}

function within(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}

/** A moment to the nanosecond: seconds since 1970 in UTC (negative before), and the nanoseconds after that second. */
export interface Timestamp {
  readonly seconds: number;
  /** 0 to 999,999,999; added to `seconds`, also before 1970. */
  readonly nanoseconds: number;
}

export const EPOCH: Timestamp = { seconds: 0, nanoseconds: 0 };

/** `2026-03-01T12:00:00.123456789Z`; years above 9999 have a sign, as in ISO 8601. */
export function formatTimestamp({ seconds, nanoseconds }: Timestamp): string {
  const date = new Date(seconds * 1000);
  const text = Number.isNaN(date.getTime()) ? `@${seconds}` : date.toISOString().replace(/\.\d{3}Z$/, "");
  return `${text}.${String(nanoseconds).padStart(9, "0")}Z`;
}

const TICKS_PER_SECOND = 10_000_000;

/** Seconds from 1601 to 1970. Source: [MS-DTYP] 2.3.3, FILETIME. */
const FILETIME_EPOCH = 11_644_473_600;

/** Converts Windows' FILETIME, a signed 64-bit count of 100 ns since 1601 in UTC, given as two halves, without rounding. */
export function fromFiletime(low: number, high: number): Timestamp {
  return setFiletime({ seconds: 0, nanoseconds: 0 }, low, high);
}

/** A timestamp that can be changed, so that one object can be used for many entries. */
export type Clock = { -readonly [Field in keyof Timestamp]: Timestamp[Field] };

/** Sets `clock` to a FILETIME, and returns it. */
export function setFiletime(clock: Clock, low: number, high: number): Timestamp {
  // 2^32 ticks are 429 s and 4,967,296 ticks; the upper half is split again, so that no product exceeds 2^53.
  const signed = high | 0;
  const parts = Math.trunc(signed / TICKS_PER_SECOND);
  const rest = (signed % TICKS_PER_SECOND) * 4_967_296 + low;
  const seconds = Math.floor(rest / TICKS_PER_SECOND);
  clock.seconds = signed * 429 + parts * 4_967_296 + seconds - FILETIME_EPOCH;
  clock.nanoseconds = (rest - seconds * TICKS_PER_SECOND) * 100;
  return clock;
}

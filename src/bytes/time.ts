/** A moment to the nanosecond: seconds since 1970 in UTC (negative before), and the nanoseconds after that second. */
export interface Timestamp {
  readonly seconds: number;
  /** 0 to 999,999,999, always forward from `seconds`. */
  readonly nanoseconds: number;
}

export const EPOCH: Timestamp = { seconds: 0, nanoseconds: 0 };

/** `2026-03-01T12:00:00.123456789Z`; years past 9999 have a sign, as ISO 8601 wants them. */
export function formatTimestamp({ seconds, nanoseconds }: Timestamp): string {
  const date = new Date(seconds * 1000);
  const text = Number.isNaN(date.getTime()) ? `@${seconds}` : date.toISOString().replace(/\.\d{3}Z$/, "");
  return `${text}.${String(nanoseconds).padStart(9, "0")}Z`;
}

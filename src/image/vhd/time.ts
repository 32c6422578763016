/** VHD's times: seconds since 2000-01-01 in UTC. Source: VHD specification 1.0, "Time Stamp". */

/** Seconds from 1970 to 2000. */
const EPOCH = 946_684_800;

/** Returns the time `seconds` in milliseconds since 1970. */
export function millisecondsOf(seconds: number): number {
  return (EPOCH + seconds) * 1000;
}

/** Returns the time `seconds` as ISO 8601 has it. */
export function dateOf(seconds: number): string {
  return new Date(millisecondsOf(seconds)).toISOString().replace(".000", "");
}

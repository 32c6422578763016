import t from "tap";
import { parseZone } from "../../src/bytes/zone.js";

const utc = (zone: string, local: string): string =>
  new Date(parseZone(zone)!.toUtc(Date.parse(`${local}Z`) / 1000) * 1000).toISOString().slice(0, 19);

t.test("local times are converted by fixed offsets, and by the rules of their day", async (t) => {
  t.equal(utc("+02:00", "2024-01-01T00:00:00"), "2023-12-31T22:00:00");
  t.equal(utc("-09:30", "2024-01-01T00:00:00"), "2024-01-01T09:30:00");
  t.equal(utc("UTC", "2024-01-01T00:00:00"), "2024-01-01T00:00:00");
  t.equal(utc("America/New_York", "2006-04-01T12:00:00"), "2006-04-01T17:00:00");
  t.equal(utc("America/New_York", "2008-04-01T12:00:00"), "2008-04-01T16:00:00");
  t.equal(utc("Asia/Kathmandu", "2024-07-01T12:00:00"), "2024-07-01T06:15:00");
  t.equal(utc("Pacific/Apia", "2011-12-31T00:00:00"), "2011-12-30T10:00:00", "a day was skipped before it");
});

t.test(
  "a time that occurs twice is the first one; a skipped one is converted with the offset before the change",
  async (t) => {
    t.equal(utc("Europe/Berlin", "2024-10-27T02:00:00"), "2024-10-27T00:00:00");
    t.equal(utc("Europe/Berlin", "2024-10-27T02:59:58"), "2024-10-27T00:59:58");
    t.equal(utc("Europe/Berlin", "2024-10-27T03:00:00"), "2024-10-27T02:00:00");
    t.equal(utc("Europe/Berlin", "2024-03-31T01:59:58"), "2024-03-31T00:59:58");
    t.equal(utc("Europe/Berlin", "2024-03-31T02:15:00"), "2024-03-31T01:15:00");
    t.equal(utc("Europe/Berlin", "2024-03-31T03:00:00"), "2024-03-31T01:00:00");
  },
);

t.test("a text that is not a zone is refused", async (t) => {
  for (const name of ["", "Mars/Olympus", "+2", "+02", "+0200", "+15:00", "-14:01", "+02:60", "02:00"])
    t.equal(parseZone(name), undefined, name);
});

/** The names of a disk's states as directories. */
import type { DiskState } from "../machine/machine.js";

/** Bytes of a file's name on Linux (NAME_MAX). */
const NAME_LIMIT = 255;

/** Digits of a UUID that are usually enough to distinguish it. */
const SHORT_UUID = 8;

/**
 * A name for each of `states`, the oldest first: its own, as far as a directory can have it. If several have the
 * same name, the current state keeps it, else the oldest; the start of the UUID is added to the others. So no name changes
 * when further states are made.
 */
export function directoryNames(states: readonly DiskState[]): ReadonlyMap<DiskState, string> {
  const names = new Map<DiskState, string>();
  const taken = new Set<string>();
  const choose = (state: DiskState): void => {
    const { name, uuid = "" } = state;
    const suffixes = ["", ` (${uuid.slice(0, SHORT_UUID)})`, ` (${uuid})`];
    let free = suffixes.map((suffix) => fileName(name, suffix)).find((candidate) => !taken.has(candidate));
    for (let number = taken.size + 1; free === undefined; number++) {
      const numbered = fileName(name, ` (${number})`);
      if (!taken.has(numbered)) free = numbered;
    }
    taken.add(free);
    names.set(state, free);
  };
  states.filter((state) => state.isCurrent).forEach(choose);
  states.filter((state) => !state.isCurrent).forEach(choose);
  return names;
}

/** `name` and `suffix`, composed (NFC) as people type them; what a directory's name cannot hold is `_`. */
function fileName(name: string, suffix: string): string {
  const stem = safe(name);
  const visible = stem === "" ? "unnamed" : stem === "." || stem === ".." ? stem.replaceAll(".", "_") : stem;
  const bytes = Buffer.from(visible);
  const end = safe(suffix);
  let length = Math.min(bytes.length, NAME_LIMIT - Buffer.byteLength(end));
  while (length < bytes.length && isWithinCharacter(bytes[length]!)) length--;
  return bytes.toString("utf8", 0, length) + end;
}

function safe(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are the point
  return text.normalize("NFC").replace(/[/\x00-\x1f\x7f-\x9f]/g, "_");
}

/** Whether `byte` is one of a character in UTF-8, but not its first. */
function isWithinCharacter(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

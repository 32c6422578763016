/** Formats directory entries as `ls -l` does, and as JSON. */
import { printName } from "../bytes/text.js";
import { formatTimestamp, type Timestamp } from "../bytes/time.js";
import type { Attributes, NodeType } from "../filesystem/filesystem.js";
import type { Listed } from "../tree/walk.js";
import { columns } from "./output.js";

const typeLetters: Record<NodeType, string> = {
  file: "-",
  directory: "d",
  symlink: "l",
  fifo: "p",
  socket: "s",
  block: "b",
  character: "c",
};

/** Mode, links, owner, group, size or device, time, name and target; times are local, as `ls` has them. */
export function longListing(entries: readonly Listed[]): string {
  return columns(
    entries.map(({ entry, attributes, target }) => {
      const name = printName(entry.name);
      if (attributes === undefined) return ["??????????", "?", "?", "?", "?", "?", name];
      const { device } = attributes;
      return [
        typeLetters[attributes.type] + formatPermissions(attributes.permissions),
        attributes.linkCount,
        attributes.uid,
        attributes.gid,
        device === undefined ? attributes.size : `${device.major}, ${device.minor}`,
        formatLocalTime(attributes.modified),
        target === undefined ? name : `${name} -> ${printName(target)}`,
      ];
    }),
  );
}

/** All that is known about an entry. In names and targets, a byte that is not text is `\xNN`. */
export function jsonOf({ entry, attributes, target, problem }: Listed): Record<string, unknown> {
  return {
    name: printName(entry.name),
    ...(attributes === undefined ? { type: entry.type } : jsonOfAttributes(attributes)),
    ...(target !== undefined && { target: printName(target) }),
    ...(problem !== undefined && { error: { code: problem.code, message: problem.message } }),
  };
}

function jsonOfAttributes(attributes: Attributes): Record<string, unknown> {
  return {
    type: attributes.type,
    inode: attributes.inode,
    mode: attributes.permissions.toString(8).padStart(4, "0"),
    links: attributes.linkCount,
    uid: attributes.uid,
    gid: attributes.gid,
    size: attributes.size,
    allocated: attributes.allocatedSectors * 512,
    ...(attributes.device !== undefined && { device: attributes.device }),
    accessed: formatTimestamp(attributes.accessed),
    modified: formatTimestamp(attributes.modified),
    changed: formatTimestamp(attributes.changed),
    ...(attributes.created !== undefined && { created: formatTimestamp(attributes.created) }),
  };
}

/** `rwsr-x--t` */
function formatPermissions(permissions: number): string {
  const letters = Array.from("rwxrwxrwx", (letter, index) => (permissions & (0o400 >> index) ? letter : "-"));
  const special = (bit: number, at: number, set: string): void => {
    if (permissions & bit) letters[at] = letters[at] === "x" ? set : set.toUpperCase();
  };
  special(0o4000, 2, "s");
  special(0o2000, 5, "s");
  special(0o1000, 8, "t");
  return letters.join("");
}

/** `2026-03-01 12:00` in the local time of the user, as `ls` prints it. */
export function formatLocalTime({ seconds }: Timestamp): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return `@${seconds}`;
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

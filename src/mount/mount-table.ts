/** Reads the host's mount table. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

export interface MountEntry {
  readonly mountPoint: string;
  /** "fuse.vdisk"; on hosts that do not show the subtype, "fuse" or "macfuse", for example. */
  readonly type: string;
  /** What was mounted: for our mounts, the image. */
  readonly source: string;
  /** Of a FUSE mount: the user who mounted it. */
  readonly uid?: number;
}

/** The type of vdisk's own mounts. */
export const MOUNT_TYPE = "fuse.vdisk";

/** Returns all mounts, the oldest first. The last entry of a mount point is the visible one. */
export async function readMountTable(): Promise<MountEntry[]> {
  try {
    return parseMountInfo(await readFile("/proc/self/mountinfo", "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const { stdout } = await promisify(execFile)("mount"); // macOS and the BSDs
  return parseMountOutput(stdout);
}

/** Source: proc_pid_mountinfo(5). The fields behind the separator "-" are type, source and options. */
export function parseMountInfo(text: string): MountEntry[] {
  return text.split("\n").flatMap((line) => {
    const fields = line.split(" ");
    const dash = fields.indexOf("-");
    const [mountPoint, type, source] = [fields[4], fields[dash + 1], fields[dash + 2]];
    if (dash < 0 || mountPoint === undefined || type === undefined || source === undefined) return [];
    const uid = /(?:^|,)user_id=(\d+)/.exec(fields[dash + 3] ?? "")?.[1];
    const entry = { mountPoint: unescape(mountPoint), type, source: unescape(source) };
    return [uid === undefined ? entry : { ...entry, uid: Number(uid) }];
  });
}

/** Lines like `vdisk on /Volumes/x (macfuse, nodev, …)`. */
function parseMountOutput(text: string): MountEntry[] {
  return [...text.matchAll(/^(.+) on (.+) \(([^,)]+)/gm)].map(([, source, mountPoint, type]) => ({
    source: source!,
    mountPoint: mountPoint!,
    type: type!,
  }));
}

/**
 * Returns the options of the lines for `mountPoint` in /etc/fstab, whose text is `text`.
 * Source: fstab(5). Words are escaped as in /proc/self/mountinfo.
 */
export function parseFstabOptions(text: string, mountPoint: string): string[] {
  return text.split("\n").flatMap((line) => {
    const [source = "", directory = "", , options = ""] = line.trim().split(/[ \t]+/);
    if (source.startsWith("#") || unescape(directory) !== mountPoint) return [];
    return unescape(options).split(",");
  });
}

/** The kernel writes space, tab, newline and backslash as `\` and three octal digits. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

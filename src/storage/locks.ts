/** The host's file locks, as Linux lists them. Source: proc_locks(5). */

export interface FileLock {
  /** Device and inode, in the numbers of `fileKey`. */
  readonly file: string;
  readonly isExclusive: boolean;
  /** Undefined of a lock that an open file has, and no process (fcntl(2), open file description locks). */
  readonly pid?: number;
  /** The first byte, and the last. */
  readonly start: number;
  readonly end: number;
}

/** What /proc/locks calls a file; `dev` is stat(2)'s. */
export function fileKey(dev: number, ino: number): string {
  const [major, minor] = [(dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00)];
  return `${major}:${minor}:${ino}`;
}

/** Lines such as `1: OFDLCK ADVISORY  READ -1 fe:00:2695847 100 101`. Who only waits for a lock ("->") has none. */
const LINE =
  /^\d+: (?:POSIX|OFDLCK|FLOCK) +\S+ +(READ|WRITE) +(-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+|EOF)$/;

/** The locks of `text`, /proc/locks. Leases are no locks. */
export function parseLocks(text: string): FileLock[] {
  return text.split("\n").flatMap((line) => {
    const [, kind, pid, major, minor, ino, start, end] = LINE.exec(line) ?? [];
    if (ino === undefined) return [];
    return [
      {
        file: `${parseInt(major!, 16)}:${parseInt(minor!, 16)}:${ino}`,
        isExclusive: kind === "WRITE",
        ...(Number(pid) > 0 && { pid: Number(pid) }),
        start: Number(start),
        end: end === "EOF" ? Infinity : Number(end),
      },
    ];
  });
}

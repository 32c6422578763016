/** The host's file locks, as Linux lists them. Source: proc_locks(5). */

export interface FileLock {
  /** Device and inode, in the numbers of `fileKey`. */
  readonly file: string;
  readonly isExclusive: boolean;
  /** Undefined if the lock belongs to an open file description, and not to a process (fcntl(2)). */
  readonly pid?: number;
  /** The first byte and the last byte that are locked. */
  readonly start: number;
  readonly end: number;
}

/** Returns a file's device and inode as /proc/locks writes them. `dev` is as stat(2) returns it. */
export function fileKey(dev: number, ino: number): string {
  const [major, minor] = [(dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00)];
  return `${major}:${minor}:${ino}`;
}

/** A line such as `1: OFDLCK ADVISORY  READ -1 fe:00:2695847 100 101`. Lines with "->" are requests that wait for a lock. */
const LINE =
  /^\d+: (?:POSIX|OFDLCK|FLOCK) +\S+ +(READ|WRITE) +(-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+|EOF)$/;

/** Returns the locks in `text`, the contents of /proc/locks, without leases. */
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

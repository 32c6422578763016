/** What each backend can show of a tree: tests of both backends differ only in this. */
import type { Timestamp } from "../../../src/bytes/time.js";
import { showName, showTarget } from "../../../src/fuse/fuse-native/names.js";

export interface Limits {
  /** Nanoseconds since 1970, in decimal: too many digits for a number. */
  time(time: Timestamp): string;
  name(name: Buffer): Buffer;
  target(target: Buffer): Buffer;
  inode(inode: number): number;
  readonly birth: boolean;
  /** Threads that 200 mounts may leave behind. */
  readonly leftThreads: number;
}

export const LIMITS: Readonly<Record<"native" | "fuse-native", Limits>> = {
  native: {
    time: ({ seconds, nanoseconds }) => String(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)),
    name: (name) => name,
    target: (target) => target,
    inode: (inode) => inode,
    birth: true,
    leftThreads: 0,
  },
  "fuse-native": {
    time: ({ seconds, nanoseconds }) =>
      seconds < 0
        ? "0"
        : String((BigInt(seconds) * 1000n + BigInt(Math.floor(nanoseconds / 1e6))) * 1_000_000n),
    name: (name) => Buffer.from(showName(name)),
    target: (target) => Buffer.from(showTarget(target)),
    inode: (inode) => inode % 2 ** 32,
    birth: false,
    leftThreads: 0,
  },
};

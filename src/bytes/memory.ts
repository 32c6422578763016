/**
 * The size of caches under the memory limit of this process. A control group (a container, a systemd unit with
 * MemoryMax) kills a process that exceeds its limit, so caches are smaller there. Without a limit, or with a high one,
 * each cache has its usual size.
 */
import { totalmem } from "node:os";

/** Limits of this many bytes or more change nothing: with all caches full, the mount of a large tree takes half of it. */
const HIGH_LIMIT = 2 ** 30;

/** Bytes that the process takes without its caches: Node.js, the code, and the buffers of threads. */
const FIXED = 120 * 2 ** 20;

/** The smallest share: smaller caches would be filled again for each request. */
const LEAST_SHARE = 1 / 16;

/** Returns the limit of the process's control group, in bytes; undefined if it has none. */
export function memoryLimit(): number | undefined {
  // Missing in Node.js before 19.6, and 2^64 or so where there is no limit. Source: its documentation.
  const limit = (process.constrainedMemory as (() => number) | undefined)?.() ?? 0;
  return limit > 0 && limit < totalmem() ? limit : undefined;
}

/** Returns the share of its usual size that a cache has under `limit`: 1/16 to 1. */
export function shareUnder(limit: number | undefined): number {
  if (limit === undefined || limit >= HIGH_LIMIT) return 1;
  return Math.max(LEAST_SHARE, (limit - FIXED) / (HIGH_LIMIT - FIXED));
}

/** The share in this process. The limit is read once. */
export const memoryShare = shareUnder(memoryLimit());

/** Returns the size of a cache whose usual size is `usual`, in the same unit; at least 1. */
export function withinMemory(usual: number): number {
  return Math.max(1, Math.floor(usual * memoryShare));
}

/** Options with which a process that serves a mount is started. */
export interface EngineSizes {
  /** MiB of V8's old generation: its limit, and the size below which it is not collected at first. */
  readonly oldSpace: number;
  readonly initialOldSpace: number;
  /** MiB of each half of V8's young generation, which takes up to three times as much. */
  readonly semiSpace: number;
  /** Environment variables that configure the C library's allocator. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Sizes without a memory limit. mount/spawn-daemon.ts has the reasons. */
const USUAL: EngineSizes = { oldSpace: 1024, initialOldSpace: 64, semiSpace: 8, environment: {} };

/** The part of a limit that the old generation gets: buffers, threads and Node.js need the rest. */
const OLD_SPACE_PART = 1 / 4;

/** MiB that the old generation needs at least; 20 are in use when a mount has just begun. */
const LEAST_OLD_SPACE = 48;

/** Returns the options under `limit`. */
export function engineSizes(limit: number | undefined): EngineSizes {
  if (limit === undefined || limit >= HIGH_LIMIT) return USUAL;
  const oldSpace = Math.max(LEAST_OLD_SPACE, Math.floor((limit / 2 ** 20) * OLD_SPACE_PART));
  return {
    oldSpace: Math.min(USUAL.oldSpace, oldSpace),
    initialOldSpace: Math.min(USUAL.initialOldSpace, Math.floor(oldSpace / 4)),
    semiSpace: Math.max(1, Math.floor(USUAL.semiSpace * shareUnder(limit))),
    // Fewer arenas, since each keeps the memory that its threads have freed; large buffers are returned to the host at once.
    environment: { MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072" },
  };
}

/**
 * How much memory this process may have, and how large its caches may become for it. A control group (a container, a
 * systemd unit with MemoryMax) kills a process that takes more than its limit, so caches are smaller there. Without a
 * limit, or with an ample one, every cache has its usual size.
 */
import { totalmem } from "node:os";

/** Bytes from which on a limit changes nothing: the mount of a large tree takes about half of it, all caches full. */
const AMPLE = 2 ** 30;

/** Bytes that the process takes whatever its caches hold: Node.js itself, its code, and the threads' buffers. */
const FIXED = 120 * 2 ** 20;

/** The smallest share: caches that hold less would be filled anew for every request. */
const LEAST_SHARE = 1 / 16;

/** The bytes that the process's control group allows it; undefined without a limit. */
export function memoryLimit(): number | undefined {
  // Missing in Node.js before 19.6, and 2^64 or so where there is no limit. Source: its documentation.
  const limit = (process.constrainedMemory as (() => number) | undefined)?.() ?? 0;
  return limit > 0 && limit < totalmem() ? limit : undefined;
}

/** The share of its usual size that a cache may have under `limit`: from 1/16 to 1. */
export function shareUnder(limit: number | undefined): number {
  if (limit === undefined || limit >= AMPLE) return 1;
  return Math.max(LEAST_SHARE, (limit - FIXED) / (AMPLE - FIXED));
}

/** The share of this process, whose limit is looked up once. */
export const memoryShare = shareUnder(memoryLimit());

/** The size of a cache whose usual size is `usual`, in whatever unit; at least 1. */
export function withinMemory(usual: number): number {
  return Math.max(1, Math.floor(usual * memoryShare));
}

/** How a process that serves a mount is started under `limit`. */
export interface EngineSizes {
  /** V8's heap, MiB: the limit of its old generation, and the size below which that is not collected at first. */
  readonly oldSpace: number;
  readonly initialOldSpace: number;
  /** Each half of the young generation, MiB; it takes up to three times as much. */
  readonly semiSpace: number;
  /** Environment variables that configure the C library's allocator. */
  readonly environment: Readonly<Record<string, string>>;
}

/** V8's sizes without a limit: mount/spawn-daemon.ts says why. */
const USUAL: EngineSizes = { oldSpace: 1024, initialOldSpace: 64, semiSpace: 8, environment: {} };

/** The old generation's part of a limit: buffers, threads and Node.js itself need the rest. */
const OLD_SPACE_PART = 1 / 4;

/** MiB that the old generation needs in any case; 20 are in use once a mount is served. */
const LEAST_OLD_SPACE = 48;

/** The sizes of V8's heap under `limit`. */
export function engineSizes(limit: number | undefined): EngineSizes {
  if (limit === undefined || limit >= AMPLE) return USUAL;
  const oldSpace = Math.max(LEAST_OLD_SPACE, Math.floor((limit / 2 ** 20) * OLD_SPACE_PART));
  return {
    oldSpace: Math.min(USUAL.oldSpace, oldSpace),
    initialOldSpace: Math.min(USUAL.initialOldSpace, Math.floor(oldSpace / 4)),
    semiSpace: Math.max(1, Math.floor(USUAL.semiSpace * shareUnder(limit))),
    // Each thread's own arena keeps what it has freed; large buffers are given back to the host at once.
    environment: { MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072" },
  };
}

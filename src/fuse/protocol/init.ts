/** The greeting: what the kernel offers, and what of it vdisk takes. */
import { body, reply, writeU16le, writeU32le } from "./reply.js";
import type { InitIn } from "./request.js";

const MAJOR = 7;
/** 7.39 (Linux 6.6) brought STATX, the newest that we answer. */
const MINOR = 39;
/** 7.23 (Linux 3.15) brought the 64-byte `fuse_init_out` that we write; all later things are flags. */
const MINOR_MINIMUM = 23;

/** `FUSE_*` flags of INIT that we take where they are offered. */
export const InitFlag = {
  /** Several reads of one file at once. */
  asyncRead: 1 << 0,
  /** Listings bring the attributes along. Not READDIRPLUS_AUTO as well: `find -ls` took 1.4 times as long with it. */
  doReaddirplus: 1 << 13,
  /** O_DIRECT reads that are split go out side by side. */
  asyncDio: 1 << 15,
  /** OPEN may be refused with ENOSYS once, and is not sent again, nor RELEASE: what is read is asked for at once. */
  noOpen: 1 << 17,
  /** Lookups and listings in one directory side by side. */
  parallelDirops: 1 << 18,
  /** `max_pages` counts. */
  maxPages: 1 << 22,
  /** Link targets are kept. */
  cacheSymlinks: 1 << 23,
  /** OPENDIR may be refused with ENOSYS once, and is not sent again: listings are then kept by themselves. */
  noOpendir: 1 << 24,
} as const;
// Not taken: POSIX_ACL, which would have the kernel enforce the guest's permissions against the host's users.
// Without it, ACLs are shown as the extended attributes that they are. EXPORT_SUPPORT: the tree knows no "..".

const WANTED = Object.values(InitFlag).reduce((all, flag) => all | flag, 0);

/**
 * Bytes of the largest read. The kernel would ask for twice as much (fs/fuse/fuse_i.h, FUSE_MAX_MAX_PAGES), but then a
 * large read has one thread work instead of several, with memory that no processor's own cache holds. 3 GB read in order
 * took 1.86 s with requests of 1 MiB, 1.64 with these and 1.46 with 256 KiB; past the page cache 1.59, 0.93 and 0.77
 * (medians of six and four). Eight readers at once took 1.13 s for 2 GiB, 1.18 and 1.39 (means of three).
 */
export const MAX_READ = 2 ** 19;

/** Requests that the kernel may have under way for reading ahead; what bounds the memory that reads take. */
const MAX_BACKGROUND = 16;

export interface Greeting {
  readonly reply: Buffer;
  /** The kernel's, as `7.44`. */
  readonly version: string;
  /** The flags that both sides use; `undefined` where the kernel is to greet again in our version. */
  readonly flags: number | undefined;
}

/** The answer to INIT; `undefined` where the kernel is too old. */
export function greet(request: InitIn): Greeting | undefined {
  const { major, minor } = request;
  if (major < MAJOR || (major === MAJOR && minor < MINOR_MINIMUM)) return undefined;
  const greeting = reply(64);
  const out = body(greeting);
  writeU32le(out, MAJOR, 0);
  writeU32le(out, Math.min(major === MAJOR ? minor : MINOR, MINOR), 4);
  const flags = request.flags & WANTED;
  writeU32le(out, request.maxReadahead, 8);
  writeU32le(out, flags, 12);
  writeU16le(out, MAX_BACKGROUND, 16);
  writeU16le(out, MAX_BACKGROUND, 18); // congestion threshold
  writeU32le(out, 4096, 20); // max_write: the least that there is; it sizes the request buffer
  writeU32le(out, 1, 24); // time_gran: nanoseconds
  writeU16le(out, MAX_READ / 4096, 28); // max_pages
  return { reply: greeting, version: `${major}.${minor}`, flags: major === MAJOR ? flags : undefined };
}

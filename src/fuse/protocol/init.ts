/** INIT: the version and the features on which the kernel and the server agree. */
import { body, reply, writeU16le, writeU32le } from "./reply.js";
import type { InitIn } from "./request.js";

const MAJOR = 7;
/** 7.39 (Linux 6.6) added STATX, the newest request that the server answers. */
const MINOR = 39;
/** 7.23 (Linux 3.15) added the 64-byte `fuse_init_out` that is written here; all later features have flags. */
const MINOR_MINIMUM = 23;

/** `FUSE_*` flags of INIT that are used if the kernel has them. */
export const InitFlag = {
  /** Several reads of one file at the same time. */
  asyncRead: 1 << 0,
  /** Listings include attributes. Without READDIRPLUS_AUTO: `find -ls` took 1.4 times as long with it. */
  doReaddirplus: 1 << 13,
  /** The parts of a large O_DIRECT read are requested at the same time. */
  asyncDio: 1 << 15,
  /** If OPEN is refused with ENOSYS, the kernel sends neither OPEN nor RELEASE any more. */
  noOpen: 1 << 17,
  /** Lookups and listings in one directory at the same time. */
  parallelDirops: 1 << 18,
  /** `max_pages` counts. */
  maxPages: 1 << 22,
  /** The kernel caches the targets of symbolic links. */
  cacheSymlinks: 1 << 23,
  /** If OPENDIR is refused with ENOSYS, the kernel does not send it any more, and caches listings. */
  noOpendir: 1 << 24,
} as const;
// Not used: POSIX_ACL, with which the kernel would enforce the guest's permissions for the host's users; without it, ACLs
// are ordinary extended attributes. EXPORT_SUPPORT, which needs LOOKUP of "..", and the tree has none.

const SUPPORTED = Object.values(InitFlag).reduce((all, flag) => all | flag, 0);

/**
 * Bytes of the largest READ. The kernel allows twice as much (fs/fuse/fuse_i.h, FUSE_MAX_MAX_PAGES), but then one thread
 * answers a large read instead of several, with memory that does not fit into a processor's own cache. Measured with
 * requests of 1 MiB, 512 KiB and 256 KiB: 3 GB in order took 1.86, 1.64 and 1.46 s; with O_DIRECT 1.59, 0.93 and 0.77 s
 * (medians of six and four); eight readers of 2 GiB took 1.13, 1.18 and 1.39 s (means of three).
 */
export const MAX_READ = 2 ** 19;

/** Requests for read-ahead that the kernel has under way at most, which bounds the memory for replies. */
const MAX_BACKGROUND = 16;

export interface InitOutcome {
  readonly reply: Buffer;
  /** The kernel's version of the protocol, such as `7.44`. */
  readonly version: string;
  /** The flags that both sides use; `undefined` if the kernel has to send INIT again, in the server's version. */
  readonly flags: number | undefined;
}

/** Answers INIT. Returns `undefined` if the kernel is too old. */
export function answerInit(request: InitIn): InitOutcome | undefined {
  const { major, minor } = request;
  if (major < MAJOR || (major === MAJOR && minor < MINOR_MINIMUM)) return undefined;
  const initReply = reply(64);
  const out = body(initReply);
  writeU32le(out, MAJOR, 0);
  writeU32le(out, Math.min(major === MAJOR ? minor : MINOR, MINOR), 4);
  const flags = request.flags & SUPPORTED;
  writeU32le(out, request.maxReadahead, 8);
  writeU32le(out, flags, 12);
  writeU16le(out, MAX_BACKGROUND, 16);
  writeU16le(out, MAX_BACKGROUND, 18); // congestion threshold
  writeU32le(out, 4096, 20); // max_write: the minimum; it determines the size of the request buffer
  writeU32le(out, 1, 24); // time_gran: nanoseconds
  writeU16le(out, MAX_READ / 4096, 28); // max_pages
  return { reply: initReply, version: `${major}.${minor}`, flags: major === MAJOR ? flags : undefined };
}

/** The compiled addon (native-bindings/): system calls that Node.js lacks, and the threads of a mount. Linux only. */
import { createRequire } from "node:module";
import { packageFile } from "../package.js";

/**
 * Offsets and lengths are bytes. `fd` is the descriptor of an open file, and stays the caller's. native-bindings/README.md
 * describes the arrays of numbers, and layouts.ts writes them.
 */
export interface Addon {
  // host.cc
  /** The size of a block device. @throws {NodeJS.ErrnoException} */
  blockDeviceSize(fd: number): number;

  // mounting.cc
  /** mount(2). @throws {NodeJS.ErrnoException} as the promise's rejection. */
  mount(source: string, target: string, type: string, flags: number, data: string): Promise<unknown>;
  /** umount2(2). @throws {NodeJS.ErrnoException} as the promise's rejection. */
  unmount(target: string, flags: number): Promise<unknown>;
  /** Two connected sockets, for `closeDescriptor`. */
  socketPair(): [number, number];
  /** The descriptor that was sent through `socket`, for `closeDescriptor` or `serve`; or a negative errno. */
  receiveDescriptor(socket: number): number;

  // opening.cc
  /**
   * A descriptor that identifies the file at `path` without opening it for reading (O_PATH), for `closeDescriptor`. Or
   * a negative errno: -ELOOP if a part of `path` is a symbolic link, -ENOSYS if the kernel cannot check for that.
   */
  openResolved(path: string): number;
  /** A new descriptor of /dev/fuse, for `closeDescriptor` or `serve`. @throws {NodeJS.ErrnoException} */
  openDevice(): number;
  /**
   * Closes a descriptor that a function of this interface returned. Node closes a worker's descriptors when the worker
   * ends, and must not count these among them.
   */
  closeDescriptor(fd: number): void;

  // reading.cc
  /**
   * Reads what the host's page cache has, without waiting for a disk. Returns the number of bytes at the start of `into`
   * that were filled, or a negative errno.
   */
  readCached(fd: number, into: Uint8Array, offset: number): number;
  /**
   * Fills parts of `into`, off the main thread. `reads`: an array of reads. Resolves to 0 if a file ends too early or the
   * host reports an error.
   */
  readRuns(reads: Float64Array, into: Uint8Array): Promise<0 | 1>;

  // session.cc
  /** Another descriptor of the FUSE connection `fd`, for `closeDescriptor` or `serve`. @throws {NodeJS.ErrnoException} */
  cloneDevice(fd: number): number;
  /**
   * Serves the FUSE connection, with one thread for each of `descriptors`, which it owns from now on. A request that the
   * threads do not answer is copied to `buffer`, and `callback` is called with the connection that it came from and its
   * length. If `isNotification`, the request needs no reply: a prefetched reply has answered it, or it was the first read
   * of a window with `notifyFirstRead`, or it is an INTERRUPT.
   * When the mount has ended, `callback` is called with connection -1 and an errno, 0 after an unmount. The session must
   * not be used after that.
   * @param memoryPercent the size of the threads' caches, in percent of the usual size.
   */
  serve(
    descriptors: Float64Array,
    windowSize: number,
    buffer: Buffer,
    callback: (connection: number, length: number, isNotification: boolean) => void,
    memoryPercent: number,
  ): Session;
  /** Sends a reply to the connection that its request came from. Returns 0, or a negative errno. */
  reply(session: Session, connection: number, reply: Uint8Array): number;
  /**
   * Lets the threads read window `index` of `node`. A window that is shorter than the window size ends its source.
   * @param numbers an array of `runCount` runs, and of a unit for each run that is packed.
   * @param bytes those of the inline runs.
   * @param notifyFirstRead calls `callback` when a thread first answers a read from this window.
   */
  putWindow(
    session: Session,
    node: number,
    index: number,
    runCount: number,
    numbers: Float64Array,
    bytes: Buffer,
    notifyFirstRead: boolean,
  ): void;
  /**
   * Lets the threads answer one request `opcode` (READLINK, READDIR, READDIRPLUS) for `node`, and for a listing: for
   * `offset`, with `reply`, which begins with space for its header. Unused replies are evicted (LRU).
   */
  putReply(session: Session, opcode: number, node: number, offset: number, reply: Buffer): void;

  /**
   * Removes all windows and replies, so that TypeScript gets the next requests. Requests that the threads are answering at
   * this moment may still use them.
   */
  clearCaches(session: Session): void;
  /**
   * Sends `notifications` (fuse/protocol/notifications.ts) to the kernel, off the main thread: the kernel waits for reads of
   * the same pages, which may need the main thread.
   */
  notifyKernel(session: Session, notifications: Uint8Array): Promise<0>;

  // unpacking.cc
  /** The codecs that the addon can decompress. Arrays of chunks have the index of their codec in this list. */
  codecNames(): string[];
  /**
   * Unpacks chunks of `packed` into `into`, off the main thread. `chunks`: an array of chunks. Resolves to 0 if one is
   * damaged.
   */
  unpackChunks(chunks: Float64Array, packed: Uint8Array, into: Uint8Array): Promise<0 | 1>;
}

/** A mount that is being served: an object of the addon's. */
export interface Session {
  readonly session: unique symbol;
}

/** Returns the addon; or a text that says why it cannot be loaded. It is loaded once. */
export function loadAddon(): Addon | string {
  return (loaded ??= load());
}

let loaded: Addon | string | undefined;

function load(): Addon | string {
  if (process.platform !== "linux") return `the native addon is for Linux, and this is ${process.platform}`;
  const require = createRequire(import.meta.url);
  try {
    return (require("node-gyp-build") as (folder: string) => Addon)(packageFile("native-bindings"));
  } catch (error) {
    const [message] = (error as Error).message.split("\n");
    if (message?.startsWith("No native build was found"))
      return `the native addon is not compiled ("npm run install" in vdisk's folder would do it, with a C++ compiler)`;
    return `the native addon cannot be loaded: ${message}`;
  }
}

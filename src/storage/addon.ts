/** The compiled addon of native-bindings: what vdisk needs of the host and Node lacks. Linux. */
import { createRequire } from "node:module";
import { packageFile } from "../package.js";

/** Offsets and lengths are bytes; `fd` is an open file's descriptor, which stays its owner's. */
export interface Addon {
  // host.cc
  /** The size of a block device. @throws {NodeJS.ErrnoException} */
  blockDeviceSize(fd: number): number;

  // mounting.cc
  /** mount(2). @throws {NodeJS.ErrnoException} as the promise's rejection. */
  mount(source: string, target: string, type: string, flags: number, data: string): Promise<unknown>;
  /** umount2(2), likewise. */
  unmount(target: string, flags: number): Promise<unknown>;
  /** Two connected sockets, for `closeDescriptor`. */
  socketPair(): [number, number];
  /** The descriptor that was sent through `socket`, for `closeDescriptor` or `serve`; or the errno, negative. */
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
   * How many bytes of `into` were filled, from the first on, of those that the host has in memory; or the errno,
   * negative. Never waits for a disk.
   */
  readCached(fd: number, into: Uint8Array, offset: number): number;
  /**
   * Fills parts of `into`, in one call off the main thread. `runs` has four numbers for each: descriptor, offset in
   * the file, offset in `into`, length. Gives 0 where a file ends before, or the host fails.
   */
  readRuns(runs: Float64Array, into: Uint8Array): Promise<0 | 1>;

  // session.cc
  /** Another descriptor of the connection `fd`, for `closeDescriptor` or `serve`. @throws {NodeJS.ErrnoException} */
  cloneDevice(fd: number): number;
  /**
   * Serves the connection with a thread for each of `descriptors`, which it takes over. What the threads cannot
   * answer by themselves is put into `room`, and `callback` is told on which lane it came, how many bytes it
   * is, and whether it needs no reply: it has been answered from an offer, or as the first read of a window that
   * `isTold`, or it is an INTERRUPT.
   * When the mount has ended, it is told -1 and an errno, 0 if all was well; then the session is gone.
   * @param memoryPercent the part of their usual size that the threads' caches may have.
   */
  serve(
    descriptors: Float64Array,
    windowSize: number,
    room: Buffer,
    callback: (lane: number, length: number, isAnswered: boolean) => void,
    memoryPercent: number,
  ): Session;
  /** Sends a reply on the lane of its request; 0, or the errno, negative. */
  reply(session: Session, lane: number, reply: Uint8Array): number;
  /**
   * Lets the threads read the window `index` of `node`. `numbers` has three for each of `runCount` runs: descriptor (or
   * one of extents.h's kinds), offset, length. A window that is shorter than the others ends its source. Behind these
   * it has, for each run that is packed: how many parts and chunks its unit has; of each part, whose bytes follow one
   * another, the descriptor, offset and length; of each chunk what `unpackChunks` takes. There may be more numbers.
   * @param isTold whether `callback` is to be told of the first read that the threads answer from this window.
   */
  putWindow(
    session: Session,
    node: number,
    index: number,
    runCount: number,
    numbers: Float64Array,
    bytes: Buffer,
    isTold: boolean,
  ): void;
  /**
   * Lets the threads answer the next `opcode` (OPEN, READLINK, READDIR, READDIRPLUS) about `node`, a listing from `offset` on,
   * with `reply`, which has room for its header. Once.
   */
  offer(session: Session, opcode: number, node: number, offset: number, reply: Buffer): void;

  // unpacking.cc
  /**
   * Unpacks chunks of `packed` into `into`, off the main thread. `chunks` has five numbers for each: how it is packed
   * (by LZNT1, 0; XPRESS, 1; LZX, 2; not at all, 3), where it begins and ends in `packed`, where it goes in `into`, and
   * its bytes there. Gives 0 where one is damaged.
   */
  unpackChunks(chunks: Float64Array, packed: Uint8Array, into: Uint8Array): Promise<0 | 1>;
}

/** Opaque. */
export interface Session {
  readonly session: unique symbol;
}

/** The addon; or, as text, why there is none. Looked for once. */
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

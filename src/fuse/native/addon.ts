/** The compiled addon of native-bindings: the host calls that Node lacks. What each does is said in device.cc. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export interface Addon {
  /** mount(2). @throws {NodeJS.ErrnoException} as the promise's rejection. */
  mount(source: string, target: string, type: string, flags: number, data: string): Promise<unknown>;
  /** umount2(2), likewise. */
  unmount(target: string, flags: number): Promise<unknown>;
  /** Two connected sockets, the caller's to close. */
  socketPair(): [number, number];
  /** The descriptor that was sent through `socket`, the caller's to close; or the errno, negative. */
  receiveDescriptor(socket: number): number;
  /** How many bytes of `buffer` were filled; or the errno, negative. */
  read(fd: number, buffer: Buffer): number;
  /** Calls `callback` whenever `fd` is readable or has ended, and keeps the process alive, until `unwatch`. */
  watch(fd: number, callback: () => void): Watch;
  unwatch(watch: Watch): void;
}

/** Opaque. */
export interface Watch {
  readonly watch: unique symbol;
}

/** As far from src/fuse/native as from dist/fuse/native. */
const PATH = fileURLToPath(new URL("../../../native-bindings/build/Release/vdisk.node", import.meta.url));

/** The addon; or, as text, why there is none. */
export function loadAddon(): Addon | string {
  if (process.platform !== "linux") return `the native addon is for Linux, and this is ${process.platform}`;
  try {
    return createRequire(import.meta.url)(PATH) as Addon;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND")
      return `the native addon is not compiled ("npm run install" in vdisk's folder would do it, with a C++ compiler)`;
    return `the native addon cannot be loaded: ${(error as Error).message}`;
  }
}

/** The part of fuse-native 2.2.6 that vdisk uses; the package has no types. Callbacks take 0 or a negative errno. */
declare module "fuse-native" {
  type Done<R extends unknown[] = []> = (error: number, ...results: R) => void;

  interface Stat {
    mode: number;
    uid: number;
    gid: number;
    size: number;
    nlink: number;
    ino: number;
    rdev: number;
    blksize: number;
    blocks: number;
    /** Milliseconds since 1970. */
    atime: number;
    mtime: number;
    ctime: number;
  }

  interface Statfs {
    bsize: number;
    frsize: number;
    blocks: number;
    bfree: number;
    bavail: number;
    files: number;
    ffree: number;
    favail: number;
    namemax: number;
  }

  interface Operations {
    getattr(path: string, done: Done<[Stat?]>): void;
    readdir(path: string, done: Done<[string[]?, Stat[]?]>): void;
    readlink(path: string, done: Done<[string?]>): void;
    open(path: string, flags: number, done: Done<[number?]>): void;
    /** `done` takes the number of bytes instead of 0. */
    read(path: string, handle: number, into: Buffer, length: number, offset: number, done: Done): void;
    release(path: string, handle: number, done: Done): void;
    statfs(path: string, done: Done<[Statfs?]>): void;
    /** The package only checks that these exist: `_op_getxattr` and `_op_listxattr` are overridden. */
    getxattr(): void;
    listxattr(): void;
  }

  export default class Fuse {
    static unmount(mountPoint: string, done: (error: Error | null) => void): void;
    constructor(mountPoint: string, operations: Operations, options: { timeout: false });
    /** The `-o…` argument for libfuse; at most 1023 bytes. */
    protected _fuseOptions(): string;
    protected _op_getxattr(
      signal: (result: number, buffer: ArrayBufferLike) => void,
      path: string,
      name: string,
      into: Buffer,
    ): void;
    protected _op_listxattr(
      signal: (result: number, buffer: ArrayBufferLike) => void,
      path: string,
      into: Buffer,
    ): void;
    mount(done: (error: Error | null) => void): void;
    unmount(done: (error: Error | null) => void): void;
  }
}

/**
 * The portable backend: the npm package fuse-native, which uses libfuse 2 and its interface of paths. It serves where the
 * native backend cannot (macOS, or without a compiler). The types of the package's C code limit what it shows:
 *
 *   - times: whole milliseconds, none before 1970; no time of creation
 *   - names that are not UTF-8: shown as `\xNN`
 *   - inode numbers and numbers of files: 32 bits; more than 2^32 blocks are shown as fewer, larger ones
 *   - device numbers: 32 bits
 *
 * It reads 128 KiB at a time, looks up each name of a listing, and does not mount on a directory that is a mount already.
 */
import { readFile, realpath } from "node:fs/promises";
import { promisify } from "node:util";
import type Fuse from "fuse-native";
import { fromHost, HostError, UnsupportedError, whenHostFails, thrownElsewhere } from "../../errors.js";
import type { FuseBackend, FuseOptions } from "../backend.js";
import { busy, fusermount, othersRefused } from "../fusermount.js";
import { mountingProblem } from "../preconditions.js";
import { operationsOf, type TreeOperations } from "./operations.js";
import { runOrphan } from "./orphan.js";
import { watchMount } from "./watch.js";

export const fuseNativeBackend: FuseBackend = {
  name: "fuse-native",

  async unavailable() {
    const fuse = await load();
    return typeof fuse === "string" ? fuse : mountingProblem();
  },

  async mount(tree, mountPoint, options) {
    const problem = await this.unavailable();
    if (problem !== undefined) throw new UnsupportedError(problem);
    const target = await realpath(mountPoint).catch((error: unknown) => {
      throw fromHost(error, mountPoint);
    });
    const fuse = treeFuse((await load()) as typeof Fuse, target, operationsOf(tree, options.log), {
      ...options,
      canChange: tree.changes !== undefined,
    });
    const error = await new Promise<Error | null | undefined>((resolve) => {
      fuse.mount(resolve);
    });
    if (error !== null && error !== undefined) {
      // libfuse rejects some options only after it has mounted. Every access to such a mount would wait for ever.
      if (error.message !== IN_USE) await detach(target, true).catch(thrownElsewhere);
      throw (await areOthersRefused(options)) ? othersRefused(target) : refused(target, error);
    }
    const { ended: unmounted, check } = await watchMount(target).catch(async (error: unknown) => {
      await detach(target, true).catch(thrownElsewhere); // report the first error
      throw fromHost(error, target);
    });
    const ended = unmounted.then(() => promisify(fuse.unmount.bind(fuse))());
    let isDetached = false; // after that, another mount may be at the same place
    void ended.then(() => {
      isDetached = true;
    });
    return {
      ended,
      async unmount(lazy) {
        if (isDetached) return;
        await detach(target, lazy);
        isDetached = true;
        await check();
        if (!lazy) await ended;
      },
    };
  },
};

/** Loads the package's class. Resolves to a text that says why that failed, if its compiled part is missing. */
async function load(): Promise<typeof Fuse | string> {
  try {
    const { default: fuse } = await import("fuse-native");
    // Its own `unmount` runs a shell and is always lazy. `detach` unmounts, and the package only releases its resources.
    fuse.unmount = (_, done) => {
      done(null);
    };
    return fuse;
  } catch (error) {
    return `the package fuse-native cannot be loaded: ${(error as Error).message.split("\n")[0]}`;
  }
}

function treeFuse(base: typeof Fuse, target: string, operations: TreeOperations, options: TreeOptions): Fuse {
  class TreeFuse extends base {
    protected override _fuseOptions(): string {
      return mountOptions(options);
    }

    // The package's own methods write past the end of the buffer if a value is larger.
    protected override _op_getxattr(
      signal: (result: number, buffer: ArrayBufferLike) => void,
      path: string,
      name: string,
      into: Buffer,
    ): void {
      operations.attribute(path, name, into, (result) => {
        signal(result, into.buffer);
      });
    }

    protected override _op_listxattr(
      signal: (result: number, buffer: ArrayBufferLike) => void,
      path: string,
      into: Buffer,
    ): void {
      operations.attributeNames(path, into, (result) => {
        signal(result, into.buffer);
      });
    }
  }
  return new TreeFuse(target, operations, { timeout: false });
}

/** Bytes of the package's buffer for options, with the NUL (fuse-native.c, `mntopts`). */
const OPTIONS_SIZE = 1024;

/** Seconds for which the kernel may cache names and attributes of a tree that never changes. */
const VALID_SECONDS = 1e9;

interface TreeOptions extends FuseOptions {
  /** Whether the tree can change. The package cannot notify the kernel, which then must not cache anything. */
  readonly canChange: boolean;
}

function mountOptions(options: TreeOptions): string {
  const seconds = options.canChange ? 0 : VALID_SECONDS;
  const timeouts = ["attr", "entry", "negative"].map((what) => `${what}_timeout=${seconds}`);
  const caching = options.canChange ? "direct_io" : "kernel_cache";
  const list = ["ro", "nosuid", "nodev", "noatime", "use_ino", caching, "hard_remove", ...timeouts];
  if (options.allowOther) list.push("allow_other");
  else if (options.allowRoot) list.push("allow_root");
  list.push("subtype=vdisk", ...options.extra);
  const rest = `-o${list.join(",")}`;
  const source = `,fsname=${options.source.replace(/[\\,]/g, "\\$&")}`;
  // The source is only for display: one that is too long is replaced.
  return Buffer.byteLength(rest + source) < OPTIONS_SIZE ? rest + source : `${rest},fsname=vdisk`;
}

/** The package's message if something is mounted at the mount point already. It has done nothing then. */
const IN_USE = "Mountpoint in use";

/** Converts an error of the package, such as "fuse failed", to one that says what to do. */
function refused(target: string, error: Error): HostError {
  if (error.message === IN_USE) {
    const hint = "unmount it first, or choose another directory";
    return new HostError(
      { file: target, thing: "something is already mounted here", hint, cause: error },
      "EBUSY",
    );
  }
  const hint = "check the mount options; libfuse has printed the reason to standard error";
  return new HostError({ file: target, thing: "libfuse could not mount", hint, cause: error }, "EIO");
}

/** Whether the mount failed because root has not permitted allow_other. libfuse only prints that. */
async function areOthersRefused({ allowOther, allowRoot }: FuseOptions): Promise<boolean> {
  if (process.platform !== "linux" || process.geteuid?.() === 0 || !(allowOther || allowRoot)) return false;
  const rules = await readFile("/etc/fuse.conf", "utf8").catch(whenHostFails(""));
  return !/^user_allow_other\s*$/m.test(rules);
}

/** Unmounts by a program that is not a child of this process: see orphan.ts. */
async function detach(target: string, lazy: boolean): Promise<void> {
  if (process.platform === "linux" && process.geteuid?.() !== 0) {
    return fusermount(lazy ? ["-u", "-z", "--", target] : ["-u", "--", target], runOrphan);
  }
  const flag = process.platform === "linux" ? "-l" : "-f";
  const { code, message } = await runOrphan("umount", lazy ? [flag, target] : [target]);
  if (code === 0) return;
  if (/busy/i.test(message)) throw busy(target);
  throw new HostError({ file: target, thing: message || `umount ended with code ${code}` }, "EIO");
}

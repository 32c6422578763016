/**
 * The portable backend, over the npm package fuse-native: libfuse 2 with paths. It serves where our own cannot
 * (macOS, no compiler). What it cannot show, because the package's C code has no room for it:
 *
 *   - times: whole milliseconds, none before 1970; no time of creation
 *   - names that are not UTF-8: shown as `\xNN`
 *   - inode numbers and counts of files: 32 bits; blocks past that are shown as fewer, larger ones
 *   - device numbers: 32 bits
 *
 * It reads in 128 KiB, looks every name up by itself, and does not mount where something is mounted already.
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
    const fuse = treeFuse((await load()) as typeof Fuse, target, operationsOf(tree, options.log), options);
    const error = await new Promise<Error | null | undefined>((resolve) => {
      fuse.mount(resolve);
    });
    if (error !== null && error !== undefined) {
      // libfuse complains of some options only when it has mounted; whoever touches such a mount waits for ever.
      if (error.message !== IN_USE) await detach(target, true).catch(thrownElsewhere);
      throw (await areOthersRefused(options)) ? othersRefused(target) : refused(target, error);
    }
    const { gone, look } = await watchMount(target).catch(async (error: unknown) => {
      await detach(target, true).catch(thrownElsewhere); // the error that comes first counts
      throw fromHost(error, target);
    });
    const ended = gone.then(() => promisify(fuse.unmount.bind(fuse))());
    let isDetached = false; // what is mounted there from now on is not ours
    void ended.then(() => {
      isDetached = true;
    });
    return {
      ended,
      async unmount(lazy) {
        if (isDetached) return;
        await detach(target, lazy);
        isDetached = true;
        await look();
        if (!lazy) await ended;
      },
    };
  },
};

/** The package's class; or why it cannot be had. It finds its compiled parts only when it is loaded. */
async function load(): Promise<typeof Fuse | string> {
  try {
    const { default: fuse } = await import("fuse-native");
    // Its own would go through a shell, and always be lazy: we unmount, and it has only to let go.
    fuse.unmount = (_, done) => {
      done(null);
    };
    return fuse;
  } catch (error) {
    return `the package fuse-native cannot be loaded: ${(error as Error).message.split("\n")[0]}`;
  }
}

function treeFuse(base: typeof Fuse, target: string, operations: TreeOperations, options: FuseOptions): Fuse {
  class TreeFuse extends base {
    protected override _fuseOptions(): string {
      return mountOptions(options);
    }

    // The package's own write past the kernel's buffer when a value is larger.
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

/** Bytes that the package copies of its option string, the NUL included (fuse-native.c, `mntopts`). */
const OPTIONS_SIZE = 1024;

/** Seconds that the kernel may keep what it learned: the tree never changes. */
const VALID_SECONDS = 1e9;

function mountOptions(options: FuseOptions): string {
  const timeouts = ["attr", "entry", "negative"].map((what) => `${what}_timeout=${VALID_SECONDS}`);
  const list = ["ro", "nosuid", "nodev", "noatime", "use_ino", "kernel_cache", "hard_remove", ...timeouts];
  if (options.allowOther) list.push("allow_other");
  else if (options.allowRoot) list.push("allow_root");
  list.push("subtype=vdisk", ...options.extra);
  const rest = `-o${list.join(",")}`;
  const source = `,fsname=${options.source.replace(/[\\,]/g, "\\$&")}`;
  // A name that is too long is only for show.
  return Buffer.byteLength(rest + source) < OPTIONS_SIZE ? rest + source : `${rest},fsname=vdisk`;
}

/** What the package says before it has done anything. */
const IN_USE = "Mountpoint in use";

/** The package's own complaints, one of which is "fuse failed", in ours. */
function refused(target: string, error: Error): HostError {
  if (error.message === IN_USE) {
    const hint = "unmount it first, or choose another directory";
    return new HostError(
      { file: target, thing: "something is mounted here already", hint, cause: error },
      "EBUSY",
    );
  }
  const hint = "libfuse has printed why; check the mount options";
  return new HostError({ file: target, thing: "libfuse could not mount", hint, cause: error }, "EIO");
}

/** Whether the mount fails for what root has not allowed; libfuse tells only the log. */
async function areOthersRefused({ allowOther, allowRoot }: FuseOptions): Promise<boolean> {
  if (process.platform !== "linux" || process.geteuid?.() === 0 || !(allowOther || allowRoot)) return false;
  const rules = await readFile("/etc/fuse.conf", "utf8").catch(whenHostFails(""));
  return !/^user_allow_other\s*$/m.test(rules);
}

/** No child of ours may end when a mount does. */
async function detach(target: string, lazy: boolean): Promise<void> {
  if (process.platform === "linux" && process.geteuid?.() !== 0) {
    return fusermount(lazy ? ["-u", "-z", "--", target] : ["-u", "--", target], runOrphan);
  }
  const flag = process.platform === "linux" ? "-l" : "-f";
  const { code, complaint } = await runOrphan("umount", lazy ? [flag, target] : [target]);
  if (code === 0) return;
  if (/busy/i.test(complaint)) throw busy(target);
  throw new HostError({ file: target, thing: complaint || `umount ended with code ${code}` }, "EIO");
}

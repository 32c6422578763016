/** Mounts /dev/fuse on a directory: root by mount(2), ordinary users through fusermount3. */
import { stat, writeFile } from "node:fs/promises";
import { fromHost, HostError, isErrnoException, whenHostFails } from "../../errors.js";
import type { Addon } from "../../storage/addon.js";
import type { FuseOptions } from "../backend.js";
import { asChild, busy, fusermount } from "../fusermount.js";

/** MS_* flags (sys/mount.h) by option, for mount(2). FUSE itself handles all other options. */
const MOUNT_FLAGS: Readonly<Record<string, number>> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  nosymfollow: 256,
  noatime: 1024,
  nodiratime: 2048,
};

/** Options of every mount: the guest's device nodes and set-uid programs must have no effect on the host. */
const ALWAYS = ["ro", "nosuid", "nodev", "noatime"];

/** umount2(2): MNT_DETACH and UMOUNT_NOFOLLOW. */
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

const isRoot = (): boolean => process.geteuid?.() === 0;

/**
 * Mounts on `mountPoint`. Until requests are read from the descriptor, every access to the mount waits.
 * @returns the descriptor of the FUSE connection, which the caller closes.
 * @throws {DiskError} that says what to do.
 */
export async function attach(addon: Addon, mountPoint: string, options: FuseOptions): Promise<number> {
  const all = [...ALWAYS, ...options.extra];
  if (options.allowOther || options.allowRoot) all.push("allow_other");
  return isRoot()
    ? attachAsRoot(addon, mountPoint, options.source, all)
    : attachAsUser(addon, mountPoint, [...all, `fsname=${escape(options.source)}`, "subtype=vdisk"]);
}

/** Unmounts. With `lazy`, detaches the mount even if files are open. */
export async function detach(addon: Addon, mountPoint: string, lazy: boolean): Promise<void> {
  if (!isRoot()) {
    return fusermount(lazy ? ["-u", "-z", "--", mountPoint] : ["-u", "--", mountPoint], asChild());
  }
  await addon.unmount(mountPoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)).catch((error: unknown) => {
    throw isErrnoException(error) && error.code === "EBUSY" ? busy(mountPoint) : fromHost(error, mountPoint);
  });
}

/** Bytes that the kernel reads ahead: several requests at once. Its default is an eighth of that. */
const READ_AHEAD = 2 ** 20;

/**
 * Lets the kernel read ahead by several requests, so that several threads have work. Only root may set this. Without it
 * (sysfs may be read-only in a container), reads are slower.
 */
export async function raiseReadAhead(mountPoint: string): Promise<void> {
  if (!isRoot()) return;
  const stats = await stat(mountPoint).catch(whenHostFails(undefined));
  if (stats === undefined) return;
  const { dev } = stats;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00); // the major number is 0: the mount has no device
  const path = `/sys/class/bdi/0:${minor}/read_ahead_kb`;
  // A slower mount is better than none.
  await writeFile(path, String(READ_AHEAD / 1024)).catch(whenHostFails(undefined));
}

async function attachAsRoot(addon: Addon, target: string, source: string, all: string[]): Promise<number> {
  const flags = all.reduce((sum, option) => sum | (MOUNT_FLAGS[option] ?? 0), 0);
  const fd = openDevice(addon);
  const data = [
    `fd=${fd}`,
    "rootmode=40000",
    `user_id=${process.getuid!()}`,
    `group_id=${process.getgid!()}`,
    ...all.filter((option) => !Object.hasOwn(MOUNT_FLAGS, option)),
  ];
  try {
    await addon.mount(source, target, "fuse.vdisk", flags, data.join(","));
    return fd;
  } catch (error) {
    addon.closeDescriptor(fd);
    throw isErrnoException(error) && error.code === "EINVAL"
      ? new HostError(
          { file: target, thing: `the kernel does not accept the mount options ${data.join(",")}` },
          "EINVAL",
        )
      : fromHost(error, target);
  }
}

function openDevice(addon: Addon): number {
  try {
    return addon.openDevice();
  } catch (error) {
    throw fromHost(error, "/dev/fuse");
  }
}

async function attachAsUser(addon: Addon, target: string, all: string[]): Promise<number> {
  const ends = addon.socketPair();
  try {
    await fusermount(["-o", all.join(","), "--", target], asChild(ends[1]));
    const fd = addon.receiveDescriptor(ends[0]);
    if (fd < 0)
      throw new HostError(
        { file: target, thing: "fusermount3 sent no descriptor: errno", found: -fd },
        "EIO",
      );
    return fd;
  } finally {
    for (const end of ends) addon.closeDescriptor(end);
  }
}

/** Escapes commas in an option's value, for fusermount3. */
function escape(value: string): string {
  return value.replace(/[\\,]/g, "\\$&");
}

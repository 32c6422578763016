/** Attaching /dev/fuse to a directory: by mount(2) as root, through fusermount3 as an ordinary user. */
import { stat, writeFile } from "node:fs/promises";
import { fromHost, HostError, isErrnoException, whenHostFails } from "../../errors.js";
import type { Addon } from "../../storage/addon.js";
import type { FuseOptions } from "../backend.js";
import { asChild, busy, fusermount } from "../fusermount.js";

/** MS_* of sys/mount.h by option, for mount(2). Options that are not here are the file system's. */
const MOUNT_FLAGS: Readonly<Record<string, number>> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  nosymfollow: 256,
  noatime: 1024,
  nodiratime: 2048,
};

/** The guest's device nodes and set-uid programs are for looking at. */
const ALWAYS = ["ro", "nosuid", "nodev", "noatime"];

/** umount2(2): MNT_DETACH and UMOUNT_NOFOLLOW. */
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

const isRoot = (): boolean => process.geteuid?.() === 0;

/**
 * Mounts on `mountPoint`.
 * @returns the connection: a descriptor, the caller's to close. Without anyone who reads from it,
 * whoever touches the mount waits.
 * @throws {DiskError} with the next step.
 */
export async function attach(addon: Addon, mountPoint: string, options: FuseOptions): Promise<number> {
  const all = [...ALWAYS, ...options.extra];
  if (options.allowOther || options.allowRoot) all.push("allow_other");
  return isRoot()
    ? attachAsRoot(addon, mountPoint, options.source, all)
    : attachAsUser(addon, mountPoint, [...all, `fsname=${escape(options.source)}`, "subtype=vdisk"]);
}

/** Unmounts; with `lazy`, even where files are open. */
export async function detach(addon: Addon, mountPoint: string, lazy: boolean): Promise<void> {
  if (!isRoot()) {
    return fusermount(lazy ? ["-u", "-z", "--", mountPoint] : ["-u", "--", mountPoint], asChild());
  }
  await addon.unmount(mountPoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)).catch((error: unknown) => {
    throw isErrnoException(error) && error.code === "EBUSY" ? busy(mountPoint) : fromHost(error, mountPoint);
  });
}

/** Bytes that the kernel reads ahead: several requests at once. It offers an eighth of that by itself. */
const READ_AHEAD = 2 ** 20;

/**
 * Has the kernel read ahead by as much as several threads can work on. Only root may, and
 * where sysfs is not writable (in a container) reading is merely slower.
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
      ? new HostError({ file: target, thing: `the kernel refuses the options ${data.join(",")}` }, "EINVAL")
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

/** As fusermount wants a value with commas. */
function escape(value: string): string {
  return value.replace(/[\\,]/g, "\\$&");
}
